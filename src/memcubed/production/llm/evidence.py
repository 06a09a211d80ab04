"""What a proposed memory may be based on: the turns that the model was shown, in comparable form."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from zoneinfo import ZoneInfo

from memcubed.language.detect import Language
from memcubed.language.orders import split_orders
from memcubed.language.spans import TimeSpan
from memcubed.messages.model import Role, Turn
from memcubed.production.llm.agreement import agrees
from memcubed.production.llm.small_talk import is_small_talk
from memcubed.production.llm.turn_dates import local_day, named_spans
from memcubed.production.llm.wording import Wording, wording
from memcubed.production.own_part import own_part


@dataclass(frozen=True)
class Evidence:
    """One window as the guards see it; what they read again and again is worked out once.

    `turns` are those that may be sources, by label and in order; `new` are the labels of the turns that are extracted
    from; `context` are the request's earlier turns, which can support a memory but not be its source. `example` is
    that of the prompt.
    """

    turns: Mapping[str, Turn]
    new: frozenset[str]
    language: Language
    timezone: ZoneInfo
    context: tuple[Turn, ...] = ()
    example: str = ""

    @property
    def all_turns(self) -> tuple[Turn, ...]:
        """Every turn, the context first."""
        return (*self.context, *self.turns.values())

    @property
    def user_labels(self) -> tuple[str, ...]:
        """The labels of what users said."""
        return tuple(label for label, turn in self.turns.items() if turn.role is Role.USER)

    @cached_property
    def user_turns(self) -> tuple[Turn, ...]:
        """What users said, the context first."""
        return tuple(turn for turn in self.all_turns if turn.role is Role.USER)

    @cached_property
    def speakers(self) -> frozenset[str]:
        """The names of those who speak."""
        return frozenset(turn.speaker for turn in self.all_turns if turn.speaker)

    @cached_property
    def words(self) -> Mapping[str, Wording]:
        """The words of each turn that may be a source, by label."""
        return {label: wording(turn.content) for label, turn in self.turns.items()}

    @cached_property
    def said_by_users(self) -> Wording:
        """The words that are the users' own, their small talk left out, and the names of the speakers."""
        contents = [own_part(turn.content) for turn in self.user_turns if not is_small_talk(turn.content)]
        return wording(*contents, *self.speakers)

    @cached_property
    def accepted(self) -> Wording:
        """The words of the users, and those of the assistants that a user agreed to in the next turn."""
        pairs = pairwise(self.all_turns)
        agreed = [before.content for before, turn in pairs if turn.role is Role.USER and agrees(turn.content)]
        return self.said_by_users | wording(*agreed)

    @cached_property
    def said(self) -> Wording:
        """The words of everybody."""
        return self.said_by_users | wording(*(turn.content for turn in self.all_turns))

    @cached_property
    def exemplified(self) -> Wording:
        """The words of the prompt's example."""
        return wording(self.example)

    @cached_property
    def ordered(self) -> Wording:
        """The words of sentences that instruct the extractor."""
        return wording(*(split_orders(turn.content)[0] for turn in self.all_turns))

    @cached_property
    def told(self) -> Wording:
        """The words of all other sentences."""
        return wording(*(split_orders(turn.content)[1] for turn in self.all_turns))

    @cached_property
    def named_times(self) -> Mapping[str, tuple[TimeSpan, ...]]:
        """The stretches of time that each turn names, by label; those of the context under ""."""
        named = {label: tuple(named_spans([turn], self.timezone)) for label, turn in self.turns.items()}
        return {**named, "": tuple(named_spans(self.context, self.timezone))}

    @cached_property
    def said_on(self) -> tuple[TimeSpan, ...]:
        """The local days on which the turns were said."""
        return tuple({local_day(turn.chat_time.astimezone(self.timezone)) for turn in self.all_turns})

    @cached_property
    def last_said(self) -> datetime:
        """The local time of the last turn."""
        return max(turn.chat_time for turn in self.turns.values()).astimezone(self.timezone)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposed memory under judgement; `sources` are labels, in the order of the conversation.

    `timeless` is the value without the times that it names: a resolved date stands in nobody's words.
    """

    key: str
    value: str
    reasoning: str
    sources: tuple[str, ...]
    timeless: str = ""

    @property
    def content(self) -> Wording:
        """What it says, without the words that every memory is framed in."""
        content = wording(self.timeless, framed=True)
        return content if content.units else wording(self.value, framed=True)

    @property
    def reasons(self) -> Wording:
        """What its reasoning says, likewise."""
        return wording(self.reasoning, framed=True)


def in_order(labels: Iterable[str], evidence: Evidence) -> tuple[str, ...]:
    """Sort labels as the conversation went, each once."""
    wanted = set(labels)
    return tuple(label for label in evidence.turns if label in wanted)
