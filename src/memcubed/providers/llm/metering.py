"""What stands around every language model: a place among the calls at once, a budget, and a count after."""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Final, Protocol

from memcubed.errors import ProviderError
from memcubed.providers.llm.protocol import (
    AnswerT,
    ChatMessage,
    ChatOptions,
    Completion,
    Credit,
    LanguageModel,
    TextDelta,
    TextEnd,
)
from memcubed.providers.llm.untrusted import without_nonce
from memcubed.providers.llm.vision import Description, VisionModel

_BYTES_PER_TOKEN: Final = 4


class Meter(Protocol):
    """Counts calls, and refuses them when a budget is spent."""

    async def admit(self) -> None:
        """Return if a call may be made now. Raises BudgetSpentError."""
        ...

    def add(self, model: str, *, calls: int, input_tokens: int, output_tokens: int) -> Credit:
        """Count what was used; what is returned may be told once what came of it."""
        ...

    async def write(self) -> None:
        """Make what was counted last."""
        ...

    def find_answer(self, question: str) -> str | None:
        """What an earlier try of the running work was answered to a question, as JSON."""
        ...

    def keep_answer(self, question: str, answer: str) -> None:
        """Remember an answer, for the case that the running work has to be tried again."""
        ...


class Slots(Protocol):
    """Bounds how many calls run at once."""

    def hold(self) -> AbstractAsyncContextManager[None]:
        """A block that only so many are in at the same time."""
        ...


class MeteredModel:
    """Implements LanguageModel around another one.

    At most `max_concurrency` calls run at a time, and as many streams, which calls can't keep waiting; of all processes
    together as many as the slots let through. A call asks for the budget when it has its place, and gives the place
    back when its cost is written: so what goes over a budget is at most what was in its places as the budget was spent.
    What was answered in an earlier try of the same work is not asked again.
    Where the endpoint does not say what a call cost, or the call was cut short, tokens are a quarter of the bytes.
    """

    def __init__(self, inner: LanguageModel, meter: Meter, slots: Slots, *, max_concurrency: int = 4) -> None:
        self._inner = inner
        self._meter = meter
        self._calls = _Places(max_concurrency, meter, slots)
        self._streams = _Places(max_concurrency, meter, slots)

    @property
    def name(self) -> str:
        """The wrapped model's."""
        return self._inner.name

    async def complete_json(
        self, *, system: str, user: str, answer: type[AnswerT], max_tokens: int, temperature: float = 0.0
    ) -> Completion[AnswerT]:
        """Ask the wrapped model, unless it was asked before."""
        question = _question(self.name, answer.__name__, system, user)
        known = self._known(question, answer)
        if known is not None:
            return known
        asked = _estimate(system) + _estimate(user)
        async with self._calls.hold():
            try:
                completion = await self._inner.complete_json(
                    system=system, user=user, answer=answer, max_tokens=max_tokens, temperature=temperature
                )
            except ProviderError as error:
                self._add(self.name, error.calls, error.input_tokens, error.output_tokens)
                raise
            except BaseException:  # cancelled: the endpoint has most likely read the question all the same
                self._add(self.name, 1, asked, 0)
                raise
            credit = self._add(self.name, completion.calls, completion.input_tokens or asked, completion.output_tokens)
        self._meter.keep_answer(question, json.dumps(completion.answer.model_dump(mode="json")))
        return replace(completion, credit=credit)

    def _known(self, question: str, answer: type[AnswerT]) -> Completion[AnswerT] | None:
        found = self._meter.find_answer(question)
        if found is None:
            return None
        try:
            return Completion(answer.model_validate_json(found), calls=0)
        except ValueError:  # kept by another release, which asked for another form
            return None

    async def stream_text(
        self, messages: Sequence[ChatMessage], options: ChatOptions
    ) -> AsyncGenerator[TextDelta | TextEnd, None]:
        """Stream from the wrapped model."""
        end: TextEnd | None = None
        said = 0
        async with self._streams.hold():
            try:
                async with aclosing(self._inner.stream_text(messages, options)) as items:
                    async for item in items:
                        if isinstance(item, TextEnd):
                            end = item
                        else:
                            said += len(item.text.encode())
                        yield item
            finally:
                if end is None:
                    asked = sum(_estimate(message.content) for message in messages) if said else 0
                    end = TextEnd(asked, -(-said // _BYTES_PER_TOKEN))
                self._add(options.model or self.name, 1, end.input_tokens, end.output_tokens)

    async def close(self) -> None:
        """Close the wrapped model."""
        await self._inner.close()

    def _add(self, model: str, calls: int, input_tokens: int, output_tokens: int) -> Credit:
        return self._meter.add(model, calls=calls, input_tokens=input_tokens, output_tokens=output_tokens)


class MeteredVision:
    """Implements VisionModel around another one, in the same way."""

    def __init__(self, inner: VisionModel, meter: Meter, slots: Slots, *, max_concurrency: int = 4) -> None:
        self._inner = inner
        self._meter = meter
        self._calls = _Places(max_concurrency, meter, slots)

    @property
    def name(self) -> str:
        """The wrapped model's."""
        return self._inner.name

    async def describe(self, image: bytes, media_type: str, *, instructions: str) -> Description:
        """Ask the wrapped model."""
        async with self._calls.hold():
            try:
                said = await self._inner.describe(image, media_type, instructions=instructions)
            except ProviderError as error:
                self._meter.add(self.name, calls=1, input_tokens=error.input_tokens, output_tokens=error.output_tokens)
                raise
            except BaseException:  # cancelled; what an image costs is the endpoint's to say
                self._meter.add(self.name, calls=1, input_tokens=_estimate(instructions), output_tokens=0)
                raise
            credit = self._meter.add(
                self.name,
                calls=1,
                input_tokens=said.input_tokens or _estimate(instructions),
                output_tokens=said.output_tokens or _estimate(said.text),
            )
        return replace(said, credit=credit)

    async def close(self) -> None:
        """Close the wrapped model."""
        await self._inner.close()


class _Places:
    """Places of one process among those of all."""

    def __init__(self, count: int, meter: Meter, slots: Slots) -> None:
        self._meter = meter
        self._slots = slots
        self._own = asyncio.Semaphore(count)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Wait for a place and keep it for the block, and until what was counted in it is written.

        Raises BudgetSpentError when a call may not be made.
        """
        async with self._own, self._slots.hold():
            await self._meter.admit()
            try:
                yield
            finally:
                await self._meter.write()


def _question(model: str, form: str, system: str, user: str) -> str:
    """A mark of a question: the same whatever nonce its data stand between."""
    return hashlib.sha256(json.dumps([model, form, system, without_nonce(user)]).encode()).hexdigest()


def _estimate(text: str) -> int:
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)
