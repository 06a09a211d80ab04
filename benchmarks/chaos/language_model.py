"""A model endpoint with faults that are switched on and off: an answer to every chat and embedding in between."""

import random
import threading
from typing import Final, Self

from benchmarks.chaos.model import Fault, Json
from tests.support.models import model_server
from tests.support.scripted_llm import (
    Answer,
    ScriptedServer,
    after,
    api_error,
    drop_connection,
    echo_extraction,
    json_answer,
    status_answer,
    text_answer,
)

TIMEOUT_SECONDS: Final = 2.0
"""What the service is to wait for an answer."""

_THINKING_SECONDS: Final = 0.05
_SHARE: Final = 0.7
"""Not every call fails while a fault lasts, so that jobs fail after some of their calls have succeeded."""

_BABBLE: Final = (
    '{"memories": [{"sources": [1], "kind": "fact", "val',
    "Sure! Here is what I found about the user.",
    '{"memories": [{"sources": ["no such turn"], "kind": 7}]}',
    "",
)


class FaultyModel:
    """Serves while used as a context manager."""

    def __init__(self, seed: int) -> None:
        self._fault: Fault | None = None
        self._random = random.Random(f"{seed} model")  # noqa: S311 - to be repeated, not to be secret
        self._lock = threading.Lock()
        self.server: ScriptedServer = model_server(self._chat)
        self._embed = self.server.embedding_script
        self.server.embedding_script = self._embeddings

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def begin(self, fault: Fault) -> None:
        """Let this go wrong from now on."""
        if fault is Fault.MODEL_IS_AWAY:
            self.server.stop()
        self._fault = fault

    def end(self) -> None:
        """Answer properly again."""
        if self._fault is Fault.MODEL_IS_AWAY:
            self.server.start()
        self._fault = None
        with self.server._lock:  # noqa: SLF001 - what was asked is of no interest here, and would fill the memory
            self.server.requests.clear()

    def _chat(self, body: Json) -> Answer:
        return self._wrong(body) or after(_THINKING_SECONDS, _right(body))

    def _embeddings(self, body: Json) -> Answer | None:
        if "input" not in body:  # its client was killed while it sent
            return drop_connection()
        return self._wrong(body) or (self._embed and self._embed(body))

    def _wrong(self, body: Json) -> Answer | None:
        with self._lock:
            chance, babble = self._random.random(), self._random.choice(_BABBLE)
        if chance > _SHARE or self._fault is None:
            return None
        is_chat = "messages" in body
        late = after(TIMEOUT_SECONDS + 1, _right(body) if is_chat else api_error(500, "too late"))
        return {
            Fault.MODEL_HANGS: late,
            Fault.MODEL_RATE_LIMITS: status_answer(429, retry_after="1"),
            Fault.MODEL_FAILS: api_error(500, "the model fell over"),
            Fault.MODEL_BABBLES: text_answer(babble) if is_chat else status_answer(200, b'{"data": [{"embed'),
            Fault.MODEL_HANGS_UP: drop_connection(),
        }.get(self._fault)


def _right(body: Json) -> Answer:
    if "messages" not in body:  # its client was killed while it sent
        return drop_connection()
    if '"feedback"' in str(body["messages"][-1]["content"]):
        return json_answer({"action": "remember"})
    return echo_extraction(body)
