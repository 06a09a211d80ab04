"""Text that users wrote, as a prompt may show it to a model: data between marks that it can neither close nor forge."""

import json
import re
import secrets
from typing import Final

# In JSON every character may be written as \uXXXX. Written so, what users type can neither close the boundary nor form
# a control token of a chat template (<|im_end|>, <s>, [INST]), which some servers read out of the text.
_CONTROL: Final = re.compile(r"<|\[(?=/?[A-Z_]{3,}\])")
_UNENCODABLE: Final = re.compile(r"[\x00\ud800-\udfff]")


def new_nonce() -> str:
    """Make a mark that nobody who wrote the data can know."""
    return secrets.token_hex(8)


def fenced(data: object, nonce: str) -> str:
    """Render `data` as JSON between two lines that carry `nonce`."""
    text = _UNENCODABLE.sub("\ufffd", json.dumps(data, ensure_ascii=False))
    escaped = _CONTROL.sub(lambda match: f"\\u{ord(match.group(0)[0]):04x}", text)
    return f"<<<{nonce}\n{escaped}\n{nonce}>>>"
