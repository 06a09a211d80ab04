"""Whether the words around a time are about what was or what will be."""

import re
from typing import Final

# Participles that describe an arrangement or a state say nothing of the past: "it is scheduled on Friday".
_EN_STATES: Final = (
    r"need|feed|speed|indeed|exceed|excited|tired|interested|supposed|scheduled|planned|invited|expected|allowed"
    r"|worried|bored|scared|stressed|married|required"
)
_EN_PAST: Final = re.compile(
    r"\b(?:was|were|went|had|did|since|(?<!['’]ve )(?<!['’]s )(?<!have )(?<!has )got|came"
    r"|saw|took|met|made|found|left|bought|told|gave|said|ran|won|lost|ate"
    rf"|began|spent|been|(?!{_EN_STATES})[a-z]{{2,}}ed)\b",
    re.IGNORECASE,
)
# Nor do verbs of which the date is what was arranged: "was rescheduled from the 3rd to the 5th".
_EN_ARRANGED: Final = re.compile(
    r"\b(?:(?:was|were|is|are|has|have|had|been|be|got|gets)\s+)*"
    r"(?:(?:re)?scheduled|postponed|rebooked|booked|(?:pushed|moved|put) (?:back|up|forward|off)"
    r"|(?:was|were|been|got) (?:moved|changed|shifted|pushed))\b",
    re.IGNORECASE,
)
_EN_FUTURE: Final = re.compile(
    r"\b(?:will|won't|shall|gonna|going|tomorrow|have to|has to|need to|needs to|can't wait|plan|planning|plans"
    r"|due|see you|see ya|let['’]s|(?:don['’]t|do not) forget|remember to|remind|scheduled|invited|must"
    r"|next|leaving|starts|starting|hoping|book|booked for|by|until|till|before|appointment|deadline)\b"
    r"|['’]ll\b|\b(?:I'm|we're|he's|she's|they're|I am|we are)\s\w+ing\b",
    re.IGNORECASE,
)
# 了 and 过 only where they end an action: not 别忘了, 太忙了, 不去了, 就放假了, 改到五号了, 过敏, 过来, 不过.
_ZH_NO_PAST: Final = re.compile(
    r"[别没]?忘了|[约说]好?了|^对了|[算为除罢极]了|太[^，了]{1,6}了|不[^，了]{1,4}了|就[^，了]{1,6}了$|[快该]了"
    r"|(?<![不重主需只])要[^，了]{0,8}了|了[解不]|(?:改|调|推迟|提前|延|挪|换|定|订|排)[期整]?[到至成为在于][^，。了]{0,14}了"
    r"|[不超难通经透]过|过[敏来去年生节期程度夜冬夏]"
)
_ZH_PAST: Final = re.compile(r"[了过]|刚|曾|已经|当时|以来")
_ZH_CERTAIN: Final = re.compile(r"别忘|不要忘|(?<!还)记得(?!.{0,12}(?:吗|那[次天回]|当时|上次))|提醒|约好|说好")
_ZH_FUTURE: Final = re.compile(
    r"(?<![不重主需只])要(?![是么求紧])|打算|准备|计划|将|(?<![开聚约机社])会(?!议)|得[去交赶]|约(?![会莫])|预订|想"
    r"|截止|之前|开始|出发|该[交还去做给]"
)


def english_tense(words: str) -> tuple[bool, bool]:
    """Return whether English words speak of the past only, and of the future only."""
    past, future = bool(_EN_PAST.search(_EN_ARRANGED.sub(" ", words))), bool(_EN_FUTURE.search(words))
    return past and not future, future and not past


def chinese_tense(words: str) -> tuple[bool, bool]:
    """Return whether Chinese words have a mark of the past, and one of the future; what is certain stands alone."""
    plain = _ZH_NO_PAST.sub(lambda m: "约" if m.group()[0] in "约说" else m.group()[0].strip("了过"), words.strip())
    if _ZH_CERTAIN.search(words):
        return False, True
    return bool(_ZH_PAST.search(plain)), bool(_ZH_FUTURE.search(plain))


def chinese_reminder(words: str) -> bool:
    """Whether a sentence asks to keep in mind what is to come, wherever in it the time stands."""
    return bool(re.search(r"别忘|不要忘|提醒我|(?<!还)记得(?!.{0,12}(?:吗|那[次天回]|当时|上次))", words))
