"""Conversations and answers that the tests of the extractor share."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from memcubed.language.detect import detect
from memcubed.messages.model import Role, Turn
from memcubed.production.llm.answer import ProposedMemory
from memcubed.production.llm.evidence import Evidence
from memcubed.production.llm.prompt import label_turns, load_prompt
from memcubed.production.llm.windows import Window

SAID_AT = datetime(2026, 6, 10, 2, 30, tzinfo=UTC)  # a Wednesday

DEMO = (
    ("user", "我暑假定好去广州旅游，住宿的话有哪些连锁酒店可选？"),
    ("assistant", "您可以考虑【七天、全季、希尔顿】等等"),
    ("user", "我选七天"),
    ("assistant", "好的，有其他问题再问我。"),
)
DEMO_EN = (
    ("user", "I have settled on a trip to Guangzhou this summer. Which hotel chains could I stay at?"),
    ("assistant", "You could consider 7 Days Inn, Ji Hotel, or Hilton."),
    ("user", "I'll take 7 Days Inn"),
    ("assistant", "Fine, ask me if there is anything else."),
)
DEMO_FACT = {
    "sources": ["t1", "t3"],
    "kind": "fact",
    "key": "暑假广州旅游计划",
    "value": "用户计划暑假去广州旅游，住宿选择了七天连锁酒店。",
    "tags": ["旅游", "广州", "住宿", "酒店"],
}
DEMO_GUESS = {
    "sources": ["t3"],
    "kind": "implicit_preference",
    "key": "酒店价位",
    "value": "用户可能偏好价格实惠的连锁酒店。",
    "reasoning": "在七天、全季、希尔顿三个品牌中，用户选了较便宜的七天；用户没有说明选择的原因。",
    "tags": ["酒店"],
}


def turns(*said: tuple[str, str], at: datetime = SAID_AT, first: int = 1) -> tuple[Turn, ...]:
    """Make turns of (role, text); `role:name` gives the speaker. Ids count from `first`."""
    made = []
    for number, (who, text) in enumerate(said, start=first):
        role, _, speaker = who.partition(":")
        made.append(Turn(UUID(int=number), Role(role), text, at, speaker or None))
    return tuple(made)


def evidence(*said: tuple[str, str], context: Sequence[tuple[str, str]] = ()) -> Evidence:
    """Make the evidence of one window."""
    window = Window(turns(*said))
    language = detect(" ".join(text for _, text in said))
    labels = label_turns(window)
    earlier = turns(*context, first=100)
    return Evidence(labels, frozenset(labels), language, ZoneInfo("UTC"), earlier, load_prompt(language).example)


def proposed(memory: Mapping[str, object]) -> ProposedMemory:
    """Read a memory as the provider would."""
    return ProposedMemory.model_validate({"sources": ["t1"], **memory})


def ids(*numbers: int) -> tuple[UUID, ...]:
    """Give the ids of turns by their number."""
    return tuple(UUID(int=number) for number in numbers)
