"""What stands around every language model: a budget before, a place among the calls at once, a count after."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Final, Protocol

from memcubed.errors import ProviderError
from memcubed.providers.llm.protocol import (
    AnswerT,
    ChatMessage,
    ChatOptions,
    Completion,
    LanguageModel,
    TextDelta,
    TextEnd,
)
from memcubed.providers.llm.vision import VisionModel

_BYTES_PER_TOKEN: Final = 4


class Meter(Protocol):
    """Counts calls, and refuses them when a budget is spent."""

    async def admit(self) -> None:
        """Return if a call may be made. Raises BudgetSpentError."""
        ...

    def add(self, model: str, *, calls: int, input_tokens: int, output_tokens: int) -> None:
        """Count what was used."""
        ...

    async def write(self) -> None:
        """Make what was counted last."""
        ...


class Slots(Protocol):
    """Bounds how many calls run at once."""

    def hold(self) -> AbstractAsyncContextManager[None]:
        """A block that only so many are in at the same time."""
        ...


class MeteredModel:
    """Implements LanguageModel around another one.

    Where the endpoint does not say what a call cost, or the call was cut short, tokens are a quarter of the bytes.
    """

    def __init__(self, inner: LanguageModel, meter: Meter, slots: Slots) -> None:
        self._inner = inner
        self._meter = meter
        self._slots = slots

    @property
    def name(self) -> str:
        """The wrapped model's."""
        return self._inner.name

    async def complete_json(
        self, *, system: str, user: str, answer: type[AnswerT], max_tokens: int, temperature: float = 0.0
    ) -> Completion[AnswerT]:
        """Ask the wrapped model."""
        await self._meter.admit()
        asked = _estimate(system) + _estimate(user)
        async with self._slots.hold():
            try:
                completion = await self._inner.complete_json(
                    system=system, user=user, answer=answer, max_tokens=max_tokens, temperature=temperature
                )
            except ProviderError as error:
                self._add(self.name, error.calls, error.input_tokens, error.output_tokens)
                await self._meter.write()
                raise
            except BaseException:  # cancelled: the endpoint has most likely read the question all the same
                self._add(self.name, 1, asked, 0)
                raise
        self._add(self.name, completion.calls, completion.input_tokens or asked, completion.output_tokens)
        await self._meter.write()
        return completion

    async def stream_text(
        self, messages: Sequence[ChatMessage], options: ChatOptions
    ) -> AsyncGenerator[TextDelta | TextEnd, None]:
        """Stream from the wrapped model."""
        await self._meter.admit()
        end: TextEnd | None = None
        said = 0
        async with self._slots.hold():
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
        await self._meter.write()

    async def close(self) -> None:
        """Close the wrapped model."""
        await self._inner.close()

    def _add(self, model: str, calls: int, input_tokens: int, output_tokens: int) -> None:
        self._meter.add(model, calls=calls, input_tokens=input_tokens, output_tokens=output_tokens)


class MeteredVision:
    """Implements VisionModel around another one, which counts its calls by itself."""

    def __init__(self, inner: VisionModel, meter: Meter, slots: Slots) -> None:
        self._inner = inner
        self._meter = meter
        self._slots = slots

    @property
    def name(self) -> str:
        """The wrapped model's."""
        return self._inner.name

    async def describe(self, image: bytes, media_type: str, *, instructions: str) -> str:
        """Ask the wrapped model."""
        await self._meter.admit()
        try:
            async with self._slots.hold():
                return await self._inner.describe(image, media_type, instructions=instructions)
        finally:
            await self._meter.write()

    async def close(self) -> None:
        """Close the wrapped model."""
        await self._inner.close()


def _estimate(text: str) -> int:
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)
