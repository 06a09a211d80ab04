"""Feedback that asks to forget: what of, and which memories are about it."""

import re
from collections.abc import Sequence
from typing import Final

from memcubed.feedback.contradiction import terms
from memcubed.feedback.correction import without_lead
from memcubed.memories.model import StoredMemory

TOO_VAGUE: Final = "The feedback asks to forget something, and does not say what; name it."

_LEAST_SHARED: Final = 0.75
"""Of the words that name what is to be forgotten, so many have to stand in a memory."""

_ASKS: Final = (
    re.compile(
        r"^(?:please |could you |can you |i want you to )*"
        r"(?:forget|erase|delete|remove|(?:do not|don['’]t|stop) remember(?:ing)?)\b"
        r"(?: (?:that|about|of|everything|all|anything|the (?:facts?|memor(?:y|ies))(?: (?:that|of|about))?"
        r"|what (?:i|you) (?:said|told you|know|remember)(?: about)?))*(?P<what>\b.*?)?[.! ]*$",
        re.IGNORECASE | re.DOTALL,
    ),
    re.compile(
        r"^(?:请|麻烦|帮我|你)*(?:忘掉|忘记|忘了|删除|删掉|删去|清除|别再记得?|不要再记得?|别记得?)(?:关于|有关|掉)?"
        r"(?P<what>.*?)(?:的(?:事情?|记忆|内容|信息))?了?(?:[，,].{0,6}(?:忘掉|忘记|忘了|删掉|删除)(?:它|吧)?)?(?:吧|了)?[。！!]*$",
        re.DOTALL,
    ),
    re.compile(
        r"^(?:请|麻烦|帮我|你)*把(?:关于|有关)?(?P<what>.+?)(?:的(?:事情?|记忆|内容|信息))?(?:都|全)?"
        r"(?:忘掉|忘记|忘了|删除|删掉|删去|清除)(?:吧|了)?[。！!]*$",
        re.DOTALL,
    ),
)
_SOMETHING: Final = frozenset(
    {"it", "this", "that", "them", "these", "those", "everything", "all", "它", "这", "这个", "那个"}
)


def find_forgetting(text: str) -> str | None:
    """What feedback asks to forget; empty when it does not say, None when it asks for nothing of the kind."""
    bare = without_lead(text)
    for asks in _ASKS:
        if (match := asks.match(bare)) is not None:
            what = (match.group("what") or "").strip(" ，,。.!！")
            return "" if what.casefold() in _SOMETHING else what
    return None


def list_meant(what: str, known: Sequence[StoredMemory]) -> list[StoredMemory]:
    """The memories that are about it: those that have nearly all of its words."""
    named = set(terms(what.removeprefix("我")))  # which would be cut as one word with what follows it
    if not named:
        return []
    return [
        memory
        for memory in known
        if len(named & set(terms(f"{memory.key} {memory.value}"))) >= _LEAST_SHARED * len(named)
    ]
