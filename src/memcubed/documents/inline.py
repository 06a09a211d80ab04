"""Files inside a JSON body: as base64, or as a data URL."""

import binascii
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from memcubed.errors import Base64CharactersError, FileTooLargeError, InvalidRequestError, MalformedBase64Error

_DATA_URL: Final = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_BLANKS: Final = re.compile(r"[ \t\r\n]+")
_ILLEGAL: Final = re.compile(r"[^A-Za-z0-9+/=_-]")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_LONGEST_HEAD: Final = 1000


@dataclass(frozen=True, slots=True)
class InlineFile:
    """The bytes of a file, and what its sender calls them; '' when nobody said."""

    content: bytes
    media_type: str = ""


def is_url(reference: str) -> bool:
    """Whether the text is an address to fetch a file from, rather than the file."""
    return _URL.match(reference[:_LONGEST_HEAD].lstrip()) is not None


def read_inline(text: str, field: str, *, max_bytes: int) -> InlineFile:
    """The file in a base64 text or data URL. Errors name `field`.

    Raises Base64CharactersError, MalformedBase64Error, and FileTooLargeError before a file over `max_bytes` is decoded.
    """
    head = _DATA_URL.match(text[:_LONGEST_HEAD])
    if head is None:
        if text[:5].lower() == "data:":
            raise InvalidRequestError(f"{field} must be a data URL such as data:text/plain;base64,SGk=.")
        return InlineFile(_decoded(text, field, max_bytes))
    body = text[head.end() :]
    if ";base64" in head.group(2).lower():
        return InlineFile(_decoded(body, field, max_bytes), head.group(1).lower())
    if len(body) > 3 * max_bytes:
        raise FileTooLargeError(f"{field} is larger than {max_bytes} bytes.")
    content = unquote_to_bytes(body)
    if len(content) > max_bytes:
        raise FileTooLargeError(f"{field} is larger than {max_bytes} bytes.")
    return InlineFile(content, head.group(1).lower())


def _decoded(text: str, field: str, max_bytes: int) -> bytes:
    # Each of these copies a text that may be large, so only where there is something to change.
    if _BLANKS.search(text):
        text = _BLANKS.sub("", text)
    if "-" in text or "_" in text:
        text = text.translate(_URL_SAFE)
    illegal = _ILLEGAL.search(text)
    if illegal is not None:
        raise Base64CharactersError(
            f"{field} has the character {illegal.group()[:1]!a}, which base64 does not have; "
            "send base64, a data URL, or an http(s) URL."
        )
    if len(text) // 4 * 3 > max_bytes + 2:
        raise FileTooLargeError(f"{field} is larger than {max_bytes} bytes.")
    bare = text.rstrip("=")
    padding = -len(bare) % 4
    if "=" in bare or padding == 3 or len(text) - len(bare) not in {0, padding}:  # noqa: PLR2004 - base64's groups of 4
        raise MalformedBase64Error(f"{field} is cut short or padded wrongly for base64.")
    content = binascii.a2b_base64(bare + "=" * padding)
    if len(content) > max_bytes:
        raise FileTooLargeError(f"{field} is larger than {max_bytes} bytes.")
    if not content:
        raise MalformedBase64Error(f"{field} holds no bytes.")
    if len(content) > max_bytes:
        raise FileTooLargeError(f"{field} is larger than {max_bytes} bytes.")
    return content
