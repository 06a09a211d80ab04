"""Text that users wrote, as data in a prompt: it can neither instruct the model nor leave its place."""

import json
import re
import secrets
from typing import Final

# In JSON every character may be written as \uXXXX. Written so, what users type can neither close the boundary nor form
# a control token of a chat template (<|im_end|>, <s>, [INST]), which some servers read out of the text.
_CONTROL: Final = re.compile(r"<|\[(?=/?[A-Z_]{3,}\])")
_FENCE: Final = re.compile(r"^<<<([0-9a-f]{16})$", re.MULTILINE)
_UNENCODABLE: Final = re.compile(r"[\x00\ud800-\udfff]")


def new_nonce() -> str:
    """A mark that nobody who wrote the data can know: 16 hex digits."""
    return secrets.token_hex(8)


def encode_untrusted(data: object) -> str:
    """JSON in which nothing reads as a boundary or a control token; what can't be encoded is replaced."""
    text = encodable(json.dumps(data, ensure_ascii=False))
    return _CONTROL.sub(lambda match: f"\\u{ord(match.group(0)):04x}", text)


def fence(data: object, nonce: str) -> str:
    """The data as JSON between two lines that carry `nonce`."""
    return f"<<<{nonce}\n{encode_untrusted(data)}\n{nonce}>>>"


def without_nonce(text: str) -> str:
    """A prompt without the mark of its fence: the same whenever the same data are shown."""
    found = _FENCE.search(text)
    return text if found is None else text.replace(found.group(1), "")


def encodable(text: str, replacement: str = "\ufffd") -> str:
    """The text without NUL characters and lone surrogates."""
    return _UNENCODABLE.sub(replacement, text)
