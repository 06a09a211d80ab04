"""Corrections: what a text says holds, and what it says does not."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from memcubed.language.cleaning import printable
from memcubed.language.detect import has_han
from memcubed.language.sentences import sentences

_MOST_CHARACTERS: Final = 300
_MOST_OLD: Final = 80
_MOST_CONVERSATION: Final = 4000
_LEAST_ENDED_ZH: Final = 3
_LEAST_ENDED_EN: Final = 4

_LEAD: Final = re.compile(
    r"^(?:不对|不是的|不是这样的?|错了|说错了|(?:你|我)(?:说|记|弄|搞)错了|记错了|更正(?:一下)?|纠正(?:一下)?|修正|其实|实际上"
    r"|事实上|准确地说|应该说|正确的?是|注意"
    r"|no|nope|wrong|actually|correction|in fact|sorry|to be precise|please note|fyi"
    r"|(?:that|this|it)(?:'s| is| was) (?:wrong|not (?:right|correct|true)|incorrect)|you(?:'re| are) wrong"
    r"|you got (?:it|that) wrong|my mistake)(?![a-z])[\s，,。.:：!！;；—-]*",
    re.IGNORECASE,
)

_ANOTHER: Final = re.compile(r"[他她它]们?|(?:he|she|it|they|his|her|their)\b", re.IGNORECASE)
_FOR_NOW: Final = re.compile(
    r"今[天晚早]|明天|这[次回顿趟]|这会儿|待会|一会儿|(?:^|[，,])[我就]*先"
    r"|\b(?:today|tonight|tomorrow|this (?:time|week|weekend|morning|evening)|for now|right now)\b",
    re.IGNORECASE,
)

_ZH_OLD: Final = rf"(?P<old>[^，。！!；;？?,]{{1,{_MOST_OLD}}}?)"
_ZH_END: Final = r"\s*(?:了|的)?[。！!；;.]*$"
_ZH_COPULA: Final = r"(?:应该?当?是|应为|是|为|叫做?|在)"
_EN_OLD: Final = rf"(?P<old>[^,.;!?]{{1,{_MOST_OLD}}}?(?:\.\d+)?)"
_EN_END: Final = r"\s*(?:anymore|any more)?[.!;]*$"
_EN_MOVED: Final = (
    r"moved|relocated|changed|switched|migrated|raised|lowered|increased|reduced|rescheduled|postponed|shifted|updated"
    r"|renamed"
)


@dataclass(frozen=True, slots=True)
class Correction:
    """`statement` is what holds, `old` what does not, and `new` what the statement has in its place.

    `new` is empty where the statement only denies `old`. `old` is empty where the text does not say what was wrong.
    `ends` is True when the statement says that what `old` tells came to an end (不再喝咖啡, no longer drink coffee).
    """

    statement: str
    old: str
    new: str
    ends: bool = False

    @property
    def probe(self) -> str:
        """A word that every memory that says `old` has in it."""
        if self.ends and has_han(self.old):
            return self.old[1:]  # the object: its verb may stand apart from it
        return max(self.old.split(), key=len, default="")


def find_correction(text: str) -> Correction | None:
    """The correction in a text, or None when it corrects nothing. Only the first sentence that does so counts."""
    said = without_lead(text)
    for sentence in sentences(said[: 4 * _MOST_CHARACTERS]):
        found = _in_sentence(without_lead(sentence), _CHINESE, _ENGLISH)
        if found is not None:
            return found
    return None


def find_change(text: str) -> Correction | None:
    """The correction in what a user says in passing: announced as one (其实, actually), or a change of what was so.

    "I'd like tea, not coffee" may be said of one afternoon; in feedback it corrects, in a conversation it does not.
    """
    for sentence in sentences(printable(text)[:_MOST_CONVERSATION]):
        bare = without_lead(sentence)
        is_announced = bare != " ".join(sentence.split())
        chinese = (*_CHINESE, *_CHANGES_ZH) if is_announced else _CHANGES_ZH
        english = (*_ENGLISH, *_CHANGES_EN) if is_announced else _CHANGES_EN
        found = _in_sentence(bare, chinese, english)
        if found is not None and found.old and not _is_passing(sentence, found):
            return found
    return None


def _is_passing(sentence: str, correction: Correction) -> bool:
    """Whether what is said holds for now only (今天不喝了), or of somebody whom only a pronoun names."""
    return bool(_ANOTHER.match(correction.statement) or (correction.ends and _FOR_NOW.search(sentence)))


def _in_sentence(bare: str, chinese: "_Rules", english: "_Rules") -> Correction | None:
    if len(bare) > _MOST_CHARACTERS or bare.endswith(("?", "？", "吗", "吗。")):
        return None
    for pattern, build in chinese if has_han(bare) else english:
        match = pattern.search(bare)
        found = None if match is None else build(match)
        if found is not None:
            return found
    return None


def without_lead(text: str) -> str:
    """The text without what only announces a correction (不对, actually)."""
    rest = " ".join(printable(text).split())
    while (shorter := _LEAD.sub("", rest)) != rest:
        rest = shorter
    return rest


def _not_old(match: re.Match[str]) -> Correction | None:
    """X，而不是Y: X, not Y."""
    statement = match["statement"].strip(" ，,")
    new = value_of(statement)
    return Correction(statement, core(match["old"]), new) if new else None


def _old_but_new(match: re.Match[str]) -> Correction | None:
    """不是Y，是X: is not Y but X."""
    about = match["about"].strip(" ，,")
    new = match["new"].strip(" 。.!！")
    if not about:
        return Correction(new, core(match["old"]), core(new))
    copula = "是" if has_han(match.group()) else match["copula"]
    space = "" if has_han(match.group()) or copula.startswith("'") else " "
    statement = f"{about}{space}{copula}{space or ('' if has_han(copula) else ' ')}{new}"
    return Correction(statement, core(match["old"]), core(new))


def _from_to(match: re.Match[str]) -> Correction | None:
    """从Y改成X: from Y to X."""
    new = match["new"].strip(" 。.!！")
    joint = "" if has_han(match.group()) else " "
    about = match["about"].strip(" ，,").removeprefix("把").removeprefix("将")
    statement = f"{about}{joint}{match['verb'].strip()}{joint}{new}" if about else new
    return Correction(statement, core(match["old"]), core(new))


def _turn_into(match: re.Match[str]) -> Correction | None:
    """把Y改成X."""
    old, new = match["old"], match["new"].strip(" 。.!！")
    about, _, value = old.rpartition("的")
    number = _VALUE.search(old)
    if number is not None and number.end() == len(old):
        about, value = old[: number.start()].rstrip("的从由"), number.group()
    elif not about:
        return None  # 把会议改到周三 does not say what it was
    return Correction(f"{about}是{new}" if about else new, core(value), core(new))


def _denied(match: re.Match[str]) -> Correction | None:
    """Y 不对: what holds is not said."""
    about = match["about"].strip(" ，,")
    return Correction(match.group().strip(" 。.!！"), core(match["old"]), "") if about else None


def _should_be(match: re.Match[str]) -> Correction | None:
    """应该是X: should be X."""
    about, new = match["about"].strip(" ，,"), match["new"].strip(" 。.!！")
    value = _VALUE.fullmatch(about)
    if value is not None:
        return Correction(new, core(about), core(new))
    joint = "是" if has_han(match.group()) else " is "
    return Correction(f"{about}{joint}{new}" if about else new, "", core(new))


def _said_but(match: re.Match[str]) -> Correction | None:
    """I said Y, but it's X."""
    new = match["new"].strip(" .!")
    return Correction(new, core(match["old"]), core(new))


def _ended(match: re.Match[str]) -> Correction | None:
    """不再V: no longer V."""
    old = next(text for text in match.groupdict().values() if text is not None).strip()
    if len(old) < (_LEAST_ENDED_ZH if has_han(old) else _LEAST_ENDED_EN):
        return None
    return Correction(match.group().strip(" 。.!！"), old, "", ends=True)


_VALUE: Final = re.compile(
    r"(?:[￥¥$€£]\s?)?\d[\d,.:：]*\s?(?:%|％|万|亿|千|百|[元块美欧]{1,2}[元金]?|年|月|日|号|点|分钟?|小时|天|周|岁|个|次|人|台|件|kg|km|usd|eur|rmb)*",
    re.IGNORECASE,
)
_TAIL: Final = re.compile(
    r"(?:.*(?:应该是|应该|应为|改为|改成|定为|调整为|位于|负责|喜欢|住在|搬到|去|到|姓|叫做|叫|在|为|是|要|用|喝|吃))(?P<zh>[^，,]{1,40})$"
    r"|(?:.*\b(?:is|are|was|were|be|in|at|on|to|from|called|named|with|by|for|like|likes|prefer|prefers|love|loves|drink|drinks"
    r"|eat|eats|use|uses|have|has|want|wants|need|needs|the|a|an)\b|.*'(?:s|re|m))\s+(?P<en>[^,]{1,60})$",
    re.IGNORECASE,
)
_FUNCTION_WORDS: Final = re.compile(
    r"^(?:住在|位于|应该是|在|是|叫做?|去|到|用|喝|吃|(?:to|in|at|on|the|a|an|by|for|with|of|my|is|was|it'?s)\s+)",
    re.IGNORECASE,
)


def value_of(statement: str) -> str:
    """What a statement says of its subject: its only number with its unit, else what follows its last verb."""
    bare = statement.rstrip("。.!！ ")
    found = _TAIL.match(bare)
    tail = "" if found is None else core(found["zh"] or found["en"] or "")
    values = [value.group().strip() for value in _VALUE.finditer(bare)]
    if len(values) == 1 and (not tail or values[0] in tail):
        return values[0]
    if tail:
        return tail
    return values[-1] if values else ("" if has_han(bare) else bare.rpartition(" ")[2])


def core(text: str) -> str:
    """A value without quotes, articles and prepositions."""
    bare = text.strip().strip("\"'“”‘’「」『』。.!！ ")
    while (shorter := _FUNCTION_WORDS.sub("", bare).strip()) not in {bare, ""}:
        bare = shorter
    return bare


_Builder = Callable[[re.Match[str]], Correction | None]
_Rules = tuple[tuple[re.Pattern[str], _Builder], ...]

_FROM_TO_ZH: Final = (
    re.compile(
        rf"^(?P<about>.*?)(?:从|由)\s*{_ZH_OLD}\s*"
        r"(?P<verb>(?:调整|提高|降低|改|变|搬|换|涨|降|调|转|升|推迟|提前)(?:成|为|到|至))了?\s*(?P<new>[^，。；？]+)[。！!]*$"
    ),
    _from_to,
)
_ENDING_ZH: Final = (
    r"^[^，。；]*?(?:(?:已经|早就|现在)?不(?!再|会|想|知|要|能|用|好|行)(?P<old>[^，。；]{2,20}?)了"
    r"|(?:已经|现在)?不再(?P<more>[^，。；]{2,20}?)了?)"
)
_ENDED_ZH: Final = (re.compile(_ENDING_ZH + r"[。！!]*$"), _ended)
_FROM_TO_EN: Final = (
    re.compile(
        rf"^(?P<about>.*?\b(?:{_EN_MOVED}))\s+from\s+{_EN_OLD}\s+(?P<verb>to)\s+(?P<new>[^,;?]+)$", re.IGNORECASE
    ),
    _from_to,
)
_SAID_BUT_EN: Final = (
    re.compile(
        rf"^I (?:said|told you|wrote)\s+(?:that )?(?:it (?:is|was) )?{_EN_OLD},?\s+"
        r"but (?:it'?s|it is|it should be|I meant|it was)(?: actually)?\s+(?P<new>.+)$",
        re.IGNORECASE,
    ),
    _said_but,
)
_ENDING_EN: Final = (
    r"^.*?\b(?:(?:don['’]t|doesn['’]t|do not|does not)\s+(?P<old>[^,;.?]{3,60}?)\s+any ?more"
    r"|no longer\s+(?P<more>[^,;.?]{3,60}?)|(?:stopped|quit|gave up)\s+(?P<most>[a-z]+ing\b[^,;.?]{0,60}?))"
)
_ENDED_EN: Final = (re.compile(_ENDING_EN + r"[.!]*$", re.IGNORECASE), _ended)
# In conversation a reason follows, or what came in its place: 我不喝咖啡了，改喝红茶.
_CHANGES_ZH: Final[_Rules] = (
    (re.compile(_FROM_TO_ZH[0].pattern.removesuffix("[。！!]*$") + r"(?=[，；。！!]|$)"), _from_to),
    (re.compile(_ENDING_ZH + r"(?=[，；。！!]|$)"), _ended),
)
_CHANGES_EN: Final[_Rules] = (
    _SAID_BUT_EN,
    (re.compile(_FROM_TO_EN[0].pattern.removesuffix("$") + r"(?=[,;]|$)", re.IGNORECASE), _from_to),
    (re.compile(_ENDING_EN + r"(?=[,;.!]|$| (?:and|but|because|since|so)\b)", re.IGNORECASE), _ended),
)
_CHINESE: Final[_Rules] = (
    (
        re.compile(
            rf"^(?P<about>[^，。；]*?)(?:并)?不(?:再)?(?:是|在|叫)\s*{_ZH_OLD}\s*[，,；;]\s*(?:而|应该|应当|其实|正确的?)*"
            r"(?:是|为|应为|叫|在)\s*(?P<new>[^，。；？]+)[。！!]*$"
        ),
        _old_but_new,
    ),
    (
        re.compile(
            rf"^(?P<statement>.+?)\s*(?:[，,]\s*(?:而|并)?不(?:再)?(?:是|在|叫)|而不是|而非|[，,]\s*并?非)\s*{_ZH_OLD}{_ZH_END}"
        ),
        _not_old,
    ),
    _FROM_TO_ZH,
    (
        re.compile(
            rf"^(?:请|麻烦)?(?:把|将)\s*{_ZH_OLD}\s*(?:改|更正|修改|纠正|调整|换)(?:成|为|到)\s*(?P<new>[^，。；？]+)[。！!]*$"
        ),
        _turn_into,
    ),
    (
        re.compile(r"^(?P<about>[^，。；]*?)\s*(?:应该|应当|应)(?:改)?(?:是|为|叫)\s*(?P<new>[^，。；？]+)[。！!]*$"),
        _should_be,
    ),
    (re.compile(rf"^(?P<about>[^，。；]+?)(?:并)?不是\s*{_ZH_OLD}{_ZH_END}"), _denied),
    _ENDED_ZH,
)
_ENGLISH: Final[_Rules] = (
    _SAID_BUT_EN,
    (
        re.compile(
            rf"^(?P<about>.*?)\s*(?P<copula>\bis|\bare|\bwas|\bwere|'s|'re)(?:n['’]t| not)\s+{_EN_OLD}"
            r"(?:\s+any ?more)?\s*(?:[,;.]\s*|\s+)"
            r"(?:but(?: rather)?|it['’]s|it is|they['’]re|that['’]s|rather)(?: actually)?\s+(?P<new>[^,;?]+)$",
            re.IGNORECASE,
        ),
        _old_but_new,
    ),
    (
        re.compile(
            r"^(?P<statement>.+?)\s*"
            r"(?:[,;—-]\s*(?:and |but )?not(?: in| at| on| to)?|,?\s*\b(?:instead of|rather than))"
            rf"\s+{_EN_OLD}{_EN_END}",
            re.IGNORECASE,
        ),
        _not_old,
    ),
    _FROM_TO_EN,
    (
        re.compile(
            r"^(?P<about>.*?)\s+should(?: actually)?(?: have)? (?:be|been|read)\s+(?P<new>[^,;?]+)$", re.IGNORECASE
        ),
        _should_be,
    ),
    (re.compile(rf"^(?P<about>.+?)\s+(?:is|are|was|were)(?:n['’]t| not)\s+{_EN_OLD}{_EN_END}", re.IGNORECASE), _denied),
    _ENDED_EN,
)
