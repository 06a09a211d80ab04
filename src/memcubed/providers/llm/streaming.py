"""Reading a streamed chat completion: what belongs to the answer, what to the reasoning before it, what it cost.

Endpoints give reasoning as `reasoning_content` (DeepSeek, Qwen, vLLM), as `reasoning` (OpenRouter, Ollama, Groq), as
typed parts (Mistral), or in <think> tags at the beginning of the text.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from openai.types.chat import ChatCompletionChunk

from memcubed.errors import ProviderError
from memcubed.providers.llm.protocol import ChatMessage, DeltaKind, TextDelta, TextEnd

_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
_OPENS: Final = "<think>"
_CLOSES: Final = "</think>"
_BYTES_PER_TOKEN: Final = 4


class ThinkTags:
    """Parts a text that may begin with `<think>…</think>`, in whatever pieces it comes."""

    def __init__(self) -> None:
        self._held = ""
        self._kind: DeltaKind | None = None
        self._starts_text = False

    def read(self, text: str) -> Iterator[TextDelta]:
        """Give what is certain; a possible half of a tag is held back."""
        self._held += text
        if self._kind is None:
            begun = self._held.lstrip()
            if len(begun) < len(_OPENS) and _OPENS.startswith(begun):
                return
            self._kind = DeltaKind.REASONING if begun.startswith(_OPENS) else DeltaKind.TEXT
            self._held = begun.removeprefix(_OPENS) if self._kind is DeltaKind.REASONING else self._held
        if self._kind is DeltaKind.REASONING:
            thought, tag, rest = self._held.partition(_CLOSES)
            if not tag:
                kept = _overlap(thought, _CLOSES)
                yield from _delta(DeltaKind.REASONING, thought[: len(thought) - kept])
                self._held = thought[len(thought) - kept :]
                return
            yield from _delta(DeltaKind.REASONING, thought)
            self._kind, self._held, self._starts_text = DeltaKind.TEXT, rest, True
        # the blanks between the tag and the answer are neither's, and may come in pieces of their own
        text = self._held.lstrip() if self._starts_text else self._held
        self._starts_text = self._starts_text and not text
        yield from _delta(DeltaKind.TEXT, text)
        self._held = ""

    def finish(self) -> Iterator[TextDelta]:
        """Give what was held back."""
        yield from _delta(self._kind or DeltaKind.TEXT, self._held if self._held.strip() else "")
        self._held = ""


class StreamReader:
    """Reads the chunks of one answer; they are parsed, but not checked: any field may be missing or of another type."""

    def __init__(self, model: str, host: str, messages: Sequence[ChatMessage]) -> None:
        self._who = f"the language model {model} at {host}"
        self._asked = sum(len(message.content.encode("utf-8", "replace")) for message in messages)
        self._said = 0
        self._has_text = False
        self._finish: str | None = None
        self._usage: tuple[int, int] | None = None
        self._tags = ThinkTags()

    def read(self, chunk: object) -> Iterator[TextDelta]:
        """Give the pieces in a chunk. Raises ProviderError when the model refused to answer."""
        if not isinstance(chunk, ChatCompletionChunk):
            raise ProviderError(f"{self._who} streamed something that is no chat completion")
        self._usage = _usage(chunk) or self._usage
        choice: Any = chunk.choices[0] if chunk.choices else None
        if choice is None:
            return
        self._finish = getattr(choice, "finish_reason", None) or self._finish
        delta = getattr(choice, "delta", None)
        if self._finish == "content_filter" or getattr(delta, "refusal", None):
            why = "its content filter stopped the answer" if self._finish == "content_filter" else "it refused"
            raise ProviderError(f"{self._who}: {why}", retryable=False)
        yield from self._counted(_delta(DeltaKind.REASONING, _reasoning(delta)))
        yield from self._counted(self._tags.read(_text(getattr(delta, "content", None))))

    def finish(self) -> Iterator[TextDelta]:
        """Give what is left at the end. Raises ProviderError when nothing but reasoning was said."""
        yield from self._counted(self._tags.finish())
        if not self._has_text:
            why = "max_tokens ended it before its answer" if self._finish == "length" else "it answered with nothing"
            raise ProviderError(f"{self._who}: {why}", retryable=self._finish != "length")

    def end(self) -> TextEnd:
        """Say what it cost."""
        asked, said = self._usage or (-(-self._asked // _BYTES_PER_TOKEN), -(-self._said // _BYTES_PER_TOKEN))
        return TextEnd(asked, said, is_estimated=self._usage is None, is_cut=self._finish == "length")

    def _counted(self, deltas: Iterator[TextDelta]) -> Iterator[TextDelta]:
        for delta in deltas:
            self._said += len(delta.text.encode())
            self._has_text = self._has_text or (delta.kind is DeltaKind.TEXT and bool(delta.text.strip()))
            yield delta


def _delta(kind: DeltaKind, text: str) -> Iterator[TextDelta]:
    if text:
        yield TextDelta(kind, _UNSTORABLE.sub("\ufffd", text))


def _overlap(text: str, tag: str) -> int:
    """How many characters at the text's end may be the beginning of a tag."""
    return next((size for size in range(min(len(tag) - 1, len(text)), 0, -1) if text.endswith(tag[:size])), 0)


def _reasoning(delta: object) -> str:
    for name in ("reasoning_content", "reasoning"):
        said = getattr(delta, name, None)
        if isinstance(said, str) and said:
            return said
    content = getattr(delta, "content", None)
    if not isinstance(content, list):
        return ""
    thoughts = [part.get("thinking") for part in content if isinstance(part, dict)]
    return "".join(thought if isinstance(thought, str) else _text(thought) for thought in thoughts)


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
    return "".join(text for text in texts if isinstance(text, str))


def _usage(chunk: ChatCompletionChunk) -> tuple[int, int] | None:
    counts = (getattr(chunk.usage, "prompt_tokens", None), getattr(chunk.usage, "completion_tokens", None))
    asked, said = (count if isinstance(count, int) else None for count in counts)
    return None if asked is None or said is None else (asked, said)
