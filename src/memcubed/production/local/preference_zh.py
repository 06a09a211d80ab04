"""Preferences stated in Chinese: 我喜欢…, 不吃…, 以后…别…."""

import re
from collections.abc import Iterator
from typing import Final

import rjieba

from memcubed.language.sentences import clauses
from memcubed.production.local.preference_model import Stated

_OTHERS: Final = re.compile(
    r"他|她|它|人家|别人|有人|大家|妈|爸|爷爷|奶奶|姥|外公|外婆|姐|妹|哥|弟|叔|姑|姨|舅|老公|老婆|丈夫|妻子|爱人"
    r"|对象|女儿|儿子|孩子|娃|宝宝|闺女"
    r"|同事|老板|领导|上司|导师|老师|师傅|师兄|师姐|朋友|闺蜜|室友|舍友|同学|邻居|房东|客户|婆婆|公公|岳|家人|亲戚"
    r"|学生|猫|狗|医生"
)
_KIN_AFTER_ME: Final = re.compile(
    r"^(?:们?家?的?|的)?(?:妈|爸|爷|奶|姥|外公|外婆|姐|妹|哥|弟|叔|姑|姨|舅|老公|老婆|丈夫|妻|爱人|对象|女儿|儿子"
    r"|孩子|娃|闺女|同事|老板|领导|上司|导师|老师"
    r"|师|朋友|男朋友|女朋友|闺蜜|室友|舍友|同学|邻居|房东|客户|婆婆|公公|岳|家人|家里人|亲戚|学生|猫|狗"
    r"|[家组队][^，。]{0,3}[的里])"
)
_ADVERBS: Final = (
    r"(?:最|很|特别|非常|真的?|超级?|比较|更|一直|从小|就|都|还是|其实|也|挺|蛮|尤其"
    r"|平时|一向|向来|只|不太|不怎么|不大|不|可|格外|始终|从来|越来越)*"
)
_LIKING: Final = re.compile(
    rf"{_ADVERBS}(?:喜欢(?![上你您他她这那]$)|喜爱|热爱|偏爱|偏好|钟爱|爱(?=吃|喝|看|听|玩|用|穿|坐|住|逛|睡|喝|养"
    rf"|泡|一个人)|讨厌|厌恶|反感|受不了|受不得|忍不了|接受不了"
    r"|最怕|怕(?=[冷热吵黑晒辣高痒苦酸油腻疼痛晕狗猫虫蛇鬼坐])|最烦|最恨|懒得|宁愿|宁可|不吃|不喝|不碰|不沾|不抽"
    r"|不加[糖奶冰辣葱盐]|平时[只都]?[吃喝穿用看坐住]"
    r"|不能[吃碰喝沾闻]|[吃喝碰闻]不了|吃不惯|喝不惯|住不惯|用不惯"
    r"|过敏|吃素|忌口|忌[辣油甜生]|戒了|只[吃喝看坐住穿用买认选]|(?<!养成)习惯(?!了吧)|向来|从来?不|从不|不再(?=[吃喝用穿看买坐住])|总是|老是"
    r"|每次都|一般都|通常都?|一律|偏向|倾向于?|看重|在意|讲究|追求"
    r"|一[吃喝碰闻][^，。]{1,10}就|[一半][件个样点次口分](?:都|也)不|打死(?:都|也)不)"
)
_INSTRUCTION: Final = re.compile(
    r"(?<!要是)(?<!如果)(?<!等)(?:以后|今后|往后|之后|从今[天往后起]*|从现在(?:开始|起)?|下次|下回|每次|每回|一律"
    r"|永远|记住|凡是|往后)[^我他她。！？]{0,14}?"
    r"(?:给我|帮我|跟我|叫我|对我|提醒我|带我|替我|为我|别|不要|不用|不许|请|用|只|先|推荐|安排|回复|回答|写|讲|改"
    r"|发|控制|保持|尽量|统一|都)"
    r"|(?:请|麻烦你?|拜托|千万)(?:你|您)?(?:不要|别|勿|始终|总是|一直|只|一律|尽量|务必|用)"
    r"|(?:别|不要|不准|不许)(?:再|老是?|总是?|动不动|一上来)(?:给我|跟我|对我|推荐|提|说|用|发|写|问|叫|让我|安排|整)"
    r"|(?:你|您)?(?:给我|帮我|跟我)[^，。！？]{1,10}(?:的时候|时)?[，,]?(?:都|别|不要|只|一律|最多|最好|必须|先)"
    r"|(?:叫我|称呼我)[^，。！？吗]{1,8}(?:就行|就好|吧|即可)"
    r"|(?:^|[，。；、\s]|时候?|[你您]的?)(?:回答|回复|答复|解释|讲解|输出)我?(?:的时候|时)?[请都]?(?:尽量|务必|一律|不要|别|控制在|保持)"
)
_HYPOTHESIS: Final = re.compile(r"如果|要是|假如|假设|万一|倘若|的话")
_QUESTION: Final = re.compile(r"[?？]\s*[”’」]?$|[吗么]\s*$|什么|哪[个些里种天]|谁|怎么(?!都|也)|是不是|会不会|要不要")
_REPORTED: Final = re.compile(r"说|问|觉得|以为|认为|让|叫|劝|要求|嫌|夸|怪|笑|知道|猜|听说")
_NO_REAL: Final = re.compile(
    r"(?:喜欢|爱|讨厌)(?:这|那)(?:个|种|样|条|份|版|句)?(?:主意|方案|想法|说法|建议)?[。！!，,]?$|不?喜欢(?:你|您)"
    r"|习惯了?[。！]?$"
)
# What one did and gave up is no present habit: 我以前抽烟，去年戒了.
_FORMER: Final = re.compile(r"(?:以前|过去|曾经?|原来|小时候|年轻时)[^。！？]*(?:戒|不[^，。]{0,4})了[。！!]?$")
_ONCE: Final = re.compile(r"(?<!从)(?:以前|曾经|小时候|年轻时)(?!就|一直)")
_SUBJECT: Final = re.compile(
    r"^(?!(?:我|本人|自己|也|都|还|就|确实|其实|真的|一直|从小|天生|只|最|很|特别|严重|有点)+$).+$"
)
_WISH: Final = re.compile(
    r"^(?:也|千万|最好|尽量|还有)?(?:不要|别要|不想[去住吃坐要]|不考虑)(?P<what>[^，。！？\s]{1,12})$"
)
_NOT_WISHED_TEXT: Final = """
钱 脸 命 紧 时间 意思 问题 生气 关系 这个 那个 它 他 她 你 我 了 的 吧 啊 发票 袋子 客气
"""
_NOT_WISHED: Final = frozenset(_NOT_WISHED_TEXT.split())
_MOOD: Final = re.compile(
    r"^(?:其实|对了|话说|另外|还有|不过|反正|说实话|老实说|总之|而且|但是?|所以|顺便说一?下?)+[，,]?"
)
_OTHERS_AFTER: Final = re.compile(r"[，,；;](?:但是?|而|不过|可是?)?(?=我|他|她)")
_POINTING: Final = re.compile(r"[他她它]|[这那][个些种样]?")
_NEAR: Final = 14
_SHORT: Final = 30
# "但我爱吃" has its object in the clause before.
_ELLIPTIC: Final = 4


def stated(said: list[str], who: str, *, instructions: bool) -> Iterator[Stated]:
    """Yield the preferences that the speaker states of themselves in the sentences of a turn."""
    for number, sentence in enumerate(said):
        if not sentence or _QUESTION.search(sentence):
            continue
        order = _INSTRUCTION.search(sentence) if instructions else None
        if order and not _HYPOTHESIS.search(sentence[max(order.start() - 3, 0) : order.start() + 2]):
            yield Stated(number, instruction=True, needs_context=_points(sentence))
            continue
        if _liking(sentence, said[:number]) and not _FORMER.search(sentence):
            part = _own_part(sentence)
            yield Stated(number, _rewritten(part or sentence, who), needs_context=_points(part or sentence), part=part)
        elif instructions and _wishes(sentence):
            yield Stated(number, needs_context=_points(sentence))


def _wishes(sentence: str) -> bool:
    """Whether a short sentence names a thing that is not wanted: 不要红眼航班, 不要这一区，太吵."""
    parts = clauses(sentence.rstrip("。！!～~"))
    if len(sentence) > _SHORT or any("我" in part or (_names_other(part) and "不" not in part) for part in parts):
        return False
    for clause in parts:
        match = _WISH.match(clause)
        if not match or match["what"] in _NOT_WISHED:
            continue
        words = [(word, flag) for word, flag in rjieba.tag(match["what"]) if flag != "x"]
        if words and words[0][0] not in _NOT_WISHED and all(flag[0] in "nab" or flag == "j" for _, flag in words):
            return True
    return False


def _own_part(sentence: str) -> str | None:
    """Return the sentence from 我 on when the clauses before are about somebody else; None when all is one's own."""
    for match in re.finditer(r"[，,；;](?:但是?|而|不过|可是?)?(?=我)", sentence):
        head, rest = sentence[: match.start()], sentence[match.end() :]
        own = head.replace("我们", "")
        if _KIN_AFTER_ME.match(own[1:]) if own.startswith("我") else "我" not in own and _names_other(own):
            return (
                rest if len(rest) > _ELLIPTIC and _LIKING.search(rest) and not _KIN_AFTER_ME.match(rest[1:]) else None
            )
    for match in _OTHERS_AFTER.finditer(sentence):
        head, rest = sentence[: match.start()], sentence[match.end() :]
        about_other = _KIN_AFTER_ME.match(rest[1:]) if rest.startswith("我") else True
        if about_other and "我" not in rest[1:] and _LIKING.search(head) and head.startswith("我"):
            return head
    return None


def _points(sentence: str) -> bool:
    first = next(iter(clauses(sentence)), "")
    return bool(_POINTING.search(first))


def _liking(sentence: str, earlier: list[str]) -> bool:
    parts = clauses(sentence)
    for at, clause in enumerate(parts):
        for match in _LIKING.finditer(clause):
            head = clause[: match.start()]
            if _NO_REAL.search(clause) or _HYPOTHESIS.search(head):
                continue
            if _ONCE.search(head):
                continue
            if match.group().endswith("过敏") and _of_another(head):
                continue
            if re.match(r"的是(?!我)", clause[match.end() :]):
                continue
            if _is_self(head, [*earlier[-1:], *parts[:at]]):
                return True
    return False


def _of_another(head: str) -> bool:
    """Whether 'X对Y' before 过敏 has a subject that is not the speaker."""
    subject, towards, _ = head.partition("对")
    return bool(towards and subject) and "我" not in subject and bool(_SUBJECT.match(subject))


def _is_self(head: str, before: list[str]) -> bool:
    """Whether the speaker is the subject of a verb, given the clause up to it and the clauses before."""
    if re.search(r"[你您]", head):
        return False
    mine = head.rfind("我")
    if mine >= 0:
        between, lead = head[mine + 1 :], head[:mine]
        if _KIN_AFTER_ME.match(between) or len(between) > _NEAR or _names_other(between):
            return False
        return not (_REPORTED.search(lead) and _names_other(lead)) and not _REPORTED.search(between)
    if _names_other(head) or len(head) > _NEAR:
        return False
    return _continues_self(before)


def _continues_self(before: list[str]) -> bool:
    """Whether a clause without a subject goes on about the speaker, as it does when nobody is named at all."""
    for clause in reversed(before):
        own = clause.find("我")
        if own >= 0 and not _KIN_AFTER_ME.match(clause[own + 1 :]):
            return not _OTHERS.search(clause[:own])
        if own >= 0 or _names_other(clause) or "你" in clause:
            return False
    return True


def _names_other(text: str) -> bool:
    if not text:
        return False
    # A Latin word with a capital is somebody's name. A Chinese one has two or three characters; longer ones are the
    # segmenter's mistakes.
    return bool(_OTHERS.search(text) or re.search(r"[A-Z][a-z]+", text)) or any(
        flag == "nr" and len(word) in {2, 3} for word, flag in rjieba.tag(text)
    )


def _rewritten(sentence: str, who: str) -> str | None:
    """Return the sentence with its speaker's name for 我, when it has one 我, at its head, and addresses nobody."""
    body = _MOOD.sub("", sentence.strip())
    if body.count("我") != 1 or re.search(r"[你您咱他她]|我们|人家", body) or not body.startswith("我"):
        return None
    if _KIN_AFTER_ME.match(body[1:]) or body.startswith("我的"):
        return None
    return who + body[1:]
