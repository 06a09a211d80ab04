"""What nobody needs to remember: greetings, thanks, agreement, questions of general knowledge.

Losing a fact is worse than keeping small talk, so a turn is dropped only when nothing else is left of it.
"""

import re
from typing import Final

from memcubed.language.sentences import clauses, list_mark, sentences

_PHRASES: Final = re.compile(
    r"你好呀?|您好|哈喽|嗨|早上好|上午好|中午好|下午好|晚上好|早安|午安|晚安|早啊?|在吗|在么|在的?|hello|谢谢(?:你"
    r"|您|啦|了|大家)*|多谢|感谢(?:你|您)?|辛苦了?"
    r"|不客气|不用谢|没事(?:儿|的)?|没关系|别客气|好(?:的|呀|啊|嘞|滴|吧|哒|咧|了)*|行(?:吧|啊|的|了)?|可以(?:的"
    r"|啊|了)?|嗯+(?:嗯|呢|好)*|哦+|噢+"
    r"|啊+|哈+|呵+|嘻+|嘿+|(?:笑死(?:我)?了?|太?(?:好笑|逗|搞笑)了?)|对(?:的|啊|了|呀)*|是(?:的|啊|呀|吧)*|没错|收到|明白(?:了|啦)?|知道(?:了|啦)"
    r"|了解(?:了)?|懂了|ok|okay|再见|拜拜|回(?:头|见)聊?"
    r"|明天见|下次见|回见|先这样|就这样|没(?:有)?(?:别的|其他)?(?:问题)?了|太好了|太棒了|真棒|厉害|不错|漂亮|完美"
    r"|棒|赞|牛|哇+|天哪|真的(?:吗|假的)?"
    r"|有(?:其他|别的|什么|任何)?问题(?:可以|请|就)?再?(?:来)?(?:随时)?(?:问|找|告诉)我?|随时(?:找|问|叫)我"
    r"|祝你?[^，。！!]{0,8}"
    r"|还(?:有|需要)(?:什么|别的|其他)[^，。]{0,8}"
    r"|\b(?:good (?:morning|afternoon|evening|night)|morning|evening|afternoon"
    r"|(?:hello|hi|hey|hiya|yo|howdy)(?: (?:there|all|again|everyone|everybody|guys|folks)\b)?|(?:how"
    r"|how's) (?:are|have) you(?: been| doing)?"
    r"|how's it going|what's up|what's new|anything new|long time no see|(?:it's )?(?:so )?(?:good|great|nice"
    r"|lovely) to (?:see|meet|hear from) you(?: too| again)?"
    r"|thanks?(?: you)?(?: so much| a lot| a bunch| again| very much)?|thank you|cheers|ta|appreciate (?:it|that"
    r"|your \w+)|you'?re (?:very )?welcome|no problem"
    r"|no worries|my pleasure|anytime|ok(?:ay)?|sure(?: thing)?|right|got it|understood|noted|yes|yeah|yep|yup|no"
    r"|nope|nah|exactly|absolutely|definitely|totally"
    r"|agreed|indeed|of course|certainly|great|cool|awesome|amazing|wonderful|fantastic|brilliant|perfect|lovely"
    r"|nice(?: one)?|sounds (?:good|great|fun|amazing)"
    r"|wow+|whoa+|woah|ha(?:ha)+h?|he(?:he)+|lol|lmao|rofl|xd|oh|ah|aw+|hmm+|well|spot on"
    r"|will do|good (?:idea|point|luck)|congrat(?:s"
    r"|ulations)|bye(?: bye)?|goodbye|see (?:you|ya)(?: later| soon| then| around| tomorrow)?"
    r"|take care|talk (?:to you )?(?:soon|later)|catch (?:you|ya) later|good ?night|have a (?:good|great|nice"
    r"|lovely) \w+|(?:is there )?anything else(?: i can help(?: you)? with)?"
    r"|let me know(?: if (?:you (?:need|have)|there's) (?:anything|any)[^.!?]*)?|happy to help|glad (?:to"
    r"|i could) help|(?:i'm )?(?:so |really )?sorry(?: to hear(?: that| it)?| about that)?|you too|me too"
    r"|same(?: here)?|really|please|so much|too|very|that's (?:great|cool|nice"
    r"|awesome|amazing|good|lovely|wonderful)"
    r"|(?:that(?:'s| was|'s been)|what) an? (?:really |very |so )?"
    r"(?:good|great|nice|funny|fun) (?:one|joke|question|point|idea)"
    r"|(?:good|great|nice|funny) (?:one|joke)|(?:that(?:'s| was) )?(?:so |really |very )?(?:funny|hilarious)"
    r"|can't wait|i see|i agree|i know|for sure|you bet|it's (?:tuesday|monday|wednesday|thursday|friday|saturday"
    r"|sunday)|\w+ saved|saved|done|will do|consider it done)\b",
    re.IGNORECASE,
)
# What stands for an image or a file in the text of a message.
_ATTACHED: Final = re.compile(r"\[(?:image|file)\]")
_WORD: Final = re.compile(r"[\w]")
_SELF: Final = re.compile(r"[我咱俺]|\b(?:I|I'm|I've|I'd|I'll|me|my|mine|we|we're|we've|our|ours|us)\b")
_SELF_LOWER: Final = re.compile(r"\b(?:i|i'm|i've|my|our|we)\b")
_POLITE: Final = re.compile(
    r"(?:(?:帮|给|教|告诉)我(?!的|们|家|[妈爸爷奶姐妹哥弟女儿老孩朋同])|请问|我(?:想|要)(?:问|知道|请教)(?:一下|下)?)"
    r"|\b(?:tell me|show me|give me|help me|let me know|(?:can|could|may) i ask|i(?: was|'m)? wonder(?:ing)?"
    r"|i'd like to know|do i)\b",
    re.IGNORECASE,
)
_QUESTION: Final = re.compile(
    r"[?？]\s*$|(?:[吗呢么]|怎么样|怎样|多少|什么|啥|哪里|哪儿|谁)\s*[。.!！]?\s*$|^(?:请问|什么是|为什么|怎么"
    r"|如何|谁|哪|多少)"
    r"|^(?:what|who|where|when|why|how|which|is|are|does|do|did|can|could|tell me|explain|define|translate)\b",
    re.IGNORECASE,
)
_LONG: Final = 400
_SAMPLE: Final = 2_000
_SHORT: Final = 80
_SHORT_ANSWER: Final = (40, 110)
_DENSE: Final = (24, 70)


def is_small_talk(text: str, names: tuple[str, ...] = ()) -> bool:
    """Whether nothing is left of a text once greetings, thanks, agreement, names of the speakers and signs are gone."""
    if len(text) > _LONG:
        return False
    for name in names:
        text = re.sub(rf"\b{re.escape(name)}\b", " ", text, flags=re.IGNORECASE)
    return not _WORD.search(_PHRASES.sub(" ", _ATTACHED.sub(" ", text).replace("’", "'")))


def is_general_question(text: str) -> bool:
    """Whether a short text only asks something, and nothing about the one who asks."""
    if len(text) > _SHORT * (1 if re.search(r"[一-鿿]", text) else 2):
        return False
    bare = _POLITE.sub("", text.replace("’", "'"))
    if _SELF.search(bare) or _SELF_LOWER.search(bare):
        return False
    said = [s for s in sentences(text) if not is_small_talk(s)]
    # "After swimming I'm starving, what do I eat?" tells of oneself without a pronoun: only bare questions are general.
    bare_questions = (_QUESTION.search(s) and sum(not is_small_talk(c) for c in clauses(s)) == 1 for s in said)
    return bool(said) and all(bare_questions)


def is_question(sentence: str) -> bool:
    """Whether a sentence asks."""
    return bool(_QUESTION.search(sentence))


def is_short_answer(text: str, *, chinese: bool) -> bool:
    """Whether a reply is one short statement, as general questions get them."""
    lines = [line for line in text.splitlines() if list_mark(line)]
    return len(text) <= _SHORT_ANSWER[0 if chinese else 1] and len(lines) < 2  # noqa: PLR2004 - two make a list


def is_substantial(text: str, *, chinese: bool) -> bool:
    """Whether an assistant's reply says something: not only agreement, wishes and questions back."""
    said = [s for s in sentences(text[:_SAMPLE]) if not is_small_talk(s)]
    told = "".join(s for s in said if not is_question(s))
    if len(told) >= _DENSE[0 if chinese else 1]:
        return True
    return bool(re.search(r"\d", told)) and len(told) >= _DENSE[0 if chinese else 1] // 2
