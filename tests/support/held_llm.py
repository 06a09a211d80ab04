"""A scripted language model that waits to be let go on, so that a test can act in the middle of an extraction."""

import threading
from typing import Final

from tests.support.api import eventually
from tests.support.scripted_llm import Answer, RecordedRequest, ScriptedServer

_PATIENCE_SECONDS: Final = 10.0
"""A test that failed before it could release the model is not to wait for longer."""


class HeldModel(ScriptedServer):
    """Answers nothing until `release` is called."""

    def __init__(self) -> None:
        super().__init__()
        self._go_on = threading.Event()
        self._waiting: list[RecordedRequest] = []

    def release(self) -> None:
        """Answer everything from now on."""
        self._go_on.set()

    async def asked(self, times: int = 1) -> None:
        """Once so many requests wait for their answers."""

        async def is_asked() -> bool:
            return len(self._waiting) >= times

        await eventually(is_asked)

    def respond(self, request: RecordedRequest) -> Answer:
        """Record a request, and choose what is answered when that is allowed."""
        self._waiting.append(request)
        self._go_on.wait(_PATIENCE_SECONDS)
        return super().respond(request)
