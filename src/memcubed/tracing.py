"""Spans of what happens: a request, its stages, the job that it caused, the model calls of all these; never any text.

Nothing of OpenTelemetry is imported unless an endpoint for it is configured (`memcubed.otel`).
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Attribute = str | int | float | bool


class Span(Protocol):
    """A stretch of work that is going on."""

    def tell(self, name: str | None = None, **attributes: Attribute) -> None:
        """Add what became known meanwhile; perhaps a better name."""
        ...


class Tracing(Protocol):
    """Where spans go."""

    def span(
        self, name: str, attributes: Mapping[str, Attribute], *, parent: str | None = None, is_entry: bool = False
    ) -> AbstractContextManager[Span]:
        """A block that is one span, below the one that is running.

        `parent` is a W3C traceparent from elsewhere, which counts more. `is_entry` marks what came from outside. An
        error leaves its type in the span, never its message; what is cancelled is marked as such, and is no error.
        """
        ...

    def span_in_parts(self, name: str, attributes: Mapping[str, Attribute]) -> AbstractContextManager[Span]:
        """The same for the block of a generator, whose parts may run in different asyncio tasks.

        It is below the span that is running when it begins, and never the running one itself.
        """
        ...

    def traceparent(self) -> str | None:
        """The running span as a W3C traceparent, for whoever goes on with the work."""
        ...

    def close(self) -> None:
        """Send what is not sent yet. Blocks."""
        ...


class _Untold:
    def tell(self, name: str | None = None, **attributes: Attribute) -> None:
        pass


_UNTOLD = _Untold()


class NoTracing:
    """Implements Tracing for whoever wants none."""

    @contextmanager
    def span(
        self,
        name: str,  # noqa: ARG002 - as the protocol has it
        attributes: Mapping[str, Attribute],  # noqa: ARG002 - same
        *,
        parent: str | None = None,  # noqa: ARG002 - same
        is_entry: bool = False,  # noqa: ARG002 - same
    ) -> Iterator[Span]:
        """Do nothing around the block."""
        yield _UNTOLD

    @contextmanager
    def span_in_parts(
        self,
        name: str,  # noqa: ARG002 - as the protocol has it
        attributes: Mapping[str, Attribute],  # noqa: ARG002 - same
    ) -> Iterator[Span]:
        """Do nothing around the block."""
        yield _UNTOLD

    def traceparent(self) -> str | None:
        """There is none."""
        return None

    def close(self) -> None:
        """Nothing was kept."""
