"""The characters of a text file whose encoding nobody says."""

import codecs
import re
from typing import Final

from charset_normalizer import from_bytes

from memcubed.errors import DocumentError

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES: Final = 64_000
_COMMON: Final = 0.97
_BINARY: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MOST_BINARY: Final = 0.005


def decoded(content: bytes) -> str:
    """The text of a file, in whichever encoding: by its mark, else UTF-8, else what fits it best."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = _by_look(content)
    sample = text[:_SAMPLE_BYTES]
    if len(_BINARY.findall(sample)) > _MOST_BINARY * len(sample):
        raise DocumentError("The file is no text.")
    return text


def _by_look(content: bytes) -> str:
    # What is written in simplified Chinese is nearly always told from short texts by this, and seldom by statistics.
    try:
        text = content.decode("gb18030")
    except UnicodeDecodeError:
        pass
    else:
        if _is_common_chinese(text[:_SAMPLE_BYTES]):
            return text
    best = from_bytes(content[:_SAMPLE_BYTES]).best()
    if best is None:
        raise DocumentError("The file is no text, or in an encoding that is not recognised; save it as UTF-8.")
    return content.decode(best.encoding, "replace")


def _is_common_chinese(text: str) -> bool:
    letters = [character for character in text if not character.isascii()]
    try_all = "".join(letters).encode("gb2312", "ignore")
    return len(try_all) // 2 >= _COMMON * len(letters)
