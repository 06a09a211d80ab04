"""Options that the assistant listed: only those that the user took up are the user's."""

import re
from dataclasses import dataclass

from memcubed.language.sentences import list_mark, sentences
from memcubed.messages.model import Role, Turn
from memcubed.production.llm.agreement import agrees
from memcubed.production.llm.evidence import Candidate, Evidence
from memcubed.production.llm.wording import negations

_LIST_ZH = re.compile(r"[^，。！？；\n]*、[^。！？；\n]*")
_LIST_EN = re.compile(r"[^.!?;\n]*,[^.!?;\n]*\b(?:or|and)\b[^.!?;\n]*|[^.!?;\n,]*\bor\b[^.!?;\n,]*", re.IGNORECASE)
_SEPARATOR = re.compile(r"[、，,/]|和|或者?|以及|还有|\b(?:or|and)\b", re.IGNORECASE)
_LEAD_IN = re.compile(
    r"^.*(?:考虑|看看|推荐|选择|比如|例如|有|是|试试|包括|去|[：:【「《（(“\"])"
    r"|^.*\b(?:consider|try|like|at|are|includes?|recommend|suggest|as|including|visit|is|have|choose|between|either|with|the)\s+",
    re.IGNORECASE,
)
_TAIL = re.compile(r"(?:[】」》）)”\"].*|等等?.*|都.*|之类.*|这几?.*|吧|呢|啊|[。.!！?？]+)$")
_CONTRAST = re.compile(
    r"而不是|而非|没有选|没选|不选|不要|之中|中选|当中|里选|放弃"
    r"|rather than|instead of|\bover\b|\bnot\b|\bamong\b|\bout of\b|\bbetween\b",
    re.IGNORECASE,
)
_ITEM_END = re.compile(r"[：:（(，,]|\s[-–—]\s")
_LONGEST_ITEM = 30


def listed_options(text: str) -> frozenset[str]:
    """Find the items of the enumerations in an assistant's turn, casefolded.

    Those in a sentence (七天、全季、希尔顿 / "A, B or C") and those on lines of their own ("1. A: ...").
    """
    found: set[str] = set()
    for sentence in sentences(text):
        for pattern in (_LIST_ZH, _LIST_EN):
            for match in pattern.finditer(sentence):
                found.update(_bare(part) for part in _SEPARATOR.split(match.group(0)))
    for line in text.splitlines():
        if mark := list_mark(line):
            found.add(_bare(_ITEM_END.split(line.removeprefix(mark), maxsplit=1)[0]))
    return frozenset(item for item in found if 1 < len(item) <= _LONGEST_ITEM)


@dataclass(frozen=True, slots=True)
class Choice:
    """The options before a user's turn that it names, and those that it does not, as the assistant wrote them."""

    taken: tuple[str, ...]
    left: tuple[str, ...]


def find_choice(before: Turn, turn: Turn) -> Choice | None:
    """Read which of the options listed in the turn before a user names.

    None when there are no options, when none or all of them are named, and when the turn negates ("not the Hilton").
    """
    if turn.role is not Role.USER or before.role is not Role.ASSISTANT or negations(turn.content):
        return None
    options = sorted(listed_options(before.content), key=before.content.casefold().find)
    taken = tuple(option for option in options if _names(turn.content, option))
    left = tuple(option for option in options if option not in taken)
    if not taken or not left:
        return None
    return Choice(_as_written(taken, before.content), _as_written(left, before.content))


def claims_unchosen_option(candidate: Candidate, evidence: Evidence) -> bool:
    """Whether a statement about the user names an option that only the assistant named.

    When the user named none of the options but agreed in the next turn, all of them may be meant. A statement that
    sets options against each other (chose A rather than B) is right to name them.
    """
    if _CONTRAST.search(candidate.value):
        return False
    by_users = "\n".join(turn.content for turn in evidence.user_turns)
    order = [*evidence.context, *evidence.turns.values()]
    for index, turn in enumerate(order):
        if turn.role is not Role.ASSISTANT:
            continue
        options = listed_options(turn.content)
        taken = {option for option in options if _names(by_users, option)}
        following = order[index + 1] if index + 1 < len(order) else None
        if not taken and following is not None and following.role is Role.USER and agrees(following.content):
            continue
        if len(options) > 1 and any(_names(candidate.value, option) for option in options - taken):
            return True
    return False


def _names(text: str, option: str) -> bool:
    # "inn" is not named by "dinner"; Chinese has no such borders
    before = r"\b" if option[0].isascii() and option[0].isalnum() else ""
    after = r"\b" if option[-1].isascii() and option[-1].isalnum() else ""
    return re.search(f"{before}{re.escape(option)}{after}", text.casefold()) is not None


def _as_written(options: tuple[str, ...], text: str) -> tuple[str, ...]:
    found = [re.search(re.escape(option), text, re.IGNORECASE) for option in options]
    return tuple(match.group(0) if match else option for match, option in zip(found, options, strict=True))


def _bare(part: str) -> str:
    return _TAIL.sub("", _LEAD_IN.sub("", part.strip())).strip(" 　。.!！?？，,*-").casefold()
