"""What stands around every call to a language model: a place, the budget, a count, and answers that are kept."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from memcubed.errors import BudgetSpentError, ProviderError
from memcubed.providers.llm.metering import MeteredModel
from memcubed.providers.llm.protocol import (
    ChatMessage,
    ChatOptions,
    ChatRole,
    Completion,
    Credit,
    DeltaKind,
    TextDelta,
    TextEnd,
    uncredited,
)
from memcubed.providers.llm.scripted import ScriptedCall, ScriptedModel
from memcubed.providers.llm.untrusted import fence, new_nonce
from memcubed.store.slots import DatabaseSlots


class Tally:
    """A meter that remembers, with a budget of tokens that counts when they are written."""

    def __init__(self, budget: int | None = None) -> None:
        self.counted: list[tuple[str, int, int, int]] = []
        self.written = 0
        self.budget = budget
        self.earlier: dict[str, str] = {}
        self.kept: dict[str, str] = {}

    async def admit(self) -> None:
        if self.budget is not None and sum(row[2] + row[3] for row in self.counted[: self.written]) >= self.budget:
            raise BudgetSpentError("spent", retry_after=1)

    def add(self, model: str, *, calls: int, input_tokens: int, output_tokens: int) -> Credit:
        self.counted.append((model, calls, input_tokens, output_tokens))
        return uncredited

    async def write(self) -> None:
        count = len(self.counted)
        await asyncio.sleep(0)
        self.written = count

    def find_answer(self, question: str) -> str | None:
        return self.earlier.get(question)

    def keep_answer(self, question: str, answer: str) -> None:
        self.kept[question] = answer


class Form(BaseModel):
    text: str


HELLO = (ChatMessage(ChatRole.USER, "12345678"),)


def metered(model: ScriptedModel, tally: Tally | None = None, *, at_once: int = 4) -> tuple[MeteredModel, Tally]:
    tally = Tally() if tally is None else tally
    slots = DatabaseSlots("postgresql://nowhere", 0, CollectorRegistry())
    return MeteredModel(model, tally, slots, max_concurrency=at_once), tally


async def ask(model: MeteredModel, user: str = "12345678") -> Completion[Form]:
    return await model.complete_json(system="", user=user, answer=Form, max_tokens=9)


class SlowModel(ScriptedModel):
    """Takes its time, and says how many ask at once."""

    def __init__(self) -> None:
        super().__init__(lambda _: {"text": "a"}, chats=["a"] * 100)
        self.running = 0
        self.most = 0

    async def complete_json(self, **asked: object) -> Completion[Form]:  # type: ignore[override]  # passes them on
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.001)
        self.running -= 1
        return await super().complete_json(**asked)  # type: ignore[arg-type]  # passes them on

    async def stream_text(
        self, messages: Sequence[ChatMessage], options: ChatOptions
    ) -> AsyncGenerator[TextDelta | TextEnd, None]:
        self.running += 1
        self.most = max(self.most, self.running)
        async with aclosing(super().stream_text(messages, options)) as items:
            async for item in items:
                await asyncio.sleep(0.001)
                yield item
        self.running -= 1


async def test_no_more_calls_run_at_a_time_than_allowed() -> None:
    slow = SlowModel()
    model, _ = metered(slow, at_once=2)
    await asyncio.gather(*(ask(model) for _ in range(8)))
    assert slow.most == 2


async def test_no_more_streams_run_at_a_time_than_allowed() -> None:
    slow = SlowModel()
    model, _ = metered(slow, at_once=2)

    async def read() -> None:
        assert [item async for item in model.stream_text(HELLO, ChatOptions(max_tokens=9))]

    await asyncio.gather(*(read() for _ in range(8)))
    assert slow.most == 2


@pytest.mark.parametrize("at_once", [1, 3])
async def test_a_budget_is_overrun_by_no_more_than_the_calls_in_their_places(at_once: int) -> None:
    slow = SlowModel()
    model, _ = metered(slow, Tally(budget=1), at_once=at_once)
    ends = await asyncio.gather(*(ask(model) for _ in range(20)), return_exceptions=True)
    assert len(slow.calls) == at_once
    assert sum(isinstance(end, BudgetSpentError) for end in ends) == 20 - at_once


async def test_what_was_answered_to_an_earlier_try_is_not_asked_again() -> None:
    inner = ScriptedModel(lambda call: {"text": call.user[-3:]})
    model, tally = metered(inner)
    first = await ask(model, f"{fence(['bees'], new_nonce())} one")
    tally.earlier = tally.kept
    again = await ask(model, f"{fence(['bees'], new_nonce())} one")
    assert again.answer == first.answer
    assert (again.calls, again.input_tokens, again.output_tokens) == (0, 0, 0)
    other = await ask(model, f"{fence(['bees'], new_nonce())} two")
    assert other.answer.text == "two"
    assert len(inner.calls) == len(tally.counted) == 2


async def test_an_answer_of_another_form_is_asked_for_anew() -> None:
    def script(_: ScriptedCall) -> object:
        return {"text": "now"}

    model, tally = metered(ScriptedModel(script))
    await ask(model)
    tally.earlier = dict.fromkeys(tally.kept, '{"other": 1}')
    assert (await ask(model)).answer.text == "now"


async def test_a_stream_is_counted_at_its_end() -> None:
    model, tally = metered(ScriptedModel(chats=["Hello.\nHow are you?"], input_tokens=9, output_tokens=5))
    items = [item async for item in model.stream_text(HELLO, ChatOptions(max_tokens=9, model="other"))]
    assert isinstance(items[-1], TextEnd)
    assert tally.counted == [("other", 1, 9, 5)]


async def test_a_stream_that_is_left_early_is_counted_by_its_length() -> None:
    said = TextDelta(DeltaKind.TEXT, "a" * 40)
    model, tally = metered(ScriptedModel(chats=[[said, said, said]]))
    async with aclosing(model.stream_text(HELLO, ChatOptions(max_tokens=9))) as items:
        assert await anext(items) == said
    assert tally.counted == [("scripted", 1, 2, 10)]


async def test_a_call_that_failed_is_counted_as_a_call() -> None:
    model, tally = metered(ScriptedModel([ProviderError("down")]))
    with pytest.raises(ProviderError):
        await model.complete_json(system="", user="12345678", answer=Form, max_tokens=9)
    assert tally.counted == [("scripted", 1, 0, 0)]
