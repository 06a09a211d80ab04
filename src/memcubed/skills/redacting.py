"""The files of skills, redacted: still a skill, that can be read and given back."""

import io
import json
import re
from pathlib import PurePosixPath
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from memcubed.errors import FilesTooLargeError
from memcubed.language.redaction import redact, redact_file_name
from memcubed.skills.archive import read_archive
from memcubed.skills.front_matter import BLOCK

MAX_TEXT_BYTES: Final = 5_000_000
"""Of the texts in a zip: no skill has as many, and redacting more would take too long."""

_FIELD: Final = re.compile(r"^([A-Za-z_][\w-]*:[ \t]*)([^\s\"'\[{|>].*?)([ \t\r]*)$", re.MULTILINE)
_ZIP: Final = b"PK"


def redacted_skill(content: bytes) -> bytes:
    """A skill's Markdown or zip, with every text in UTF-8 redacted. Takes up to seconds for a large zip.

    What else is in a zip stays as it is. Raises what `read_archive` does for one that is not to be opened.
    """
    return _redacted_zip(content) if content.startswith(_ZIP) else _redacted_text(content)


def _redacted_zip(content: bytes) -> bytes:
    read_archive(content)  # whatever is wrong with it is said before anything of it is unpacked to be kept
    out = io.BytesIO()
    left, is_changed, names = MAX_TEXT_BYTES, False, set[str]()
    with ZipFile(io.BytesIO(content)) as archive, ZipFile(out, "w", ZIP_DEFLATED) as kept:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            held = archive.read(entry)
            left -= len(held) if _text_of(held) is not None else 0
            if left < 0:
                raise FilesTooLargeError(
                    f"The texts in the zip file have more than {MAX_TEXT_BYTES // 1_000_000} MB together, the most "
                    "where texts are redacted."
                )
            redacted = _redacted_text(held)
            info = ZipInfo(_redacted_path(entry.filename, names), entry.date_time)
            info.external_attr, info.compress_type = entry.external_attr, ZIP_DEFLATED
            kept.writestr(info, redacted)
            is_changed = is_changed or redacted != held or info.filename != entry.filename
    return out.getvalue() if is_changed else content


def _redacted_path(path: str, taken: set[str]) -> str:
    """The path redacted, and unlike those that are taken, which it joins."""
    redacted = PurePosixPath(*map(redact_file_name, path.split("/")))
    number, chosen = 1, redacted
    while str(chosen).casefold() in taken:
        number += 1
        chosen = redacted.with_name(f"{redacted.stem} {number}{redacted.suffix}")
    taken.add(str(chosen).casefold())
    return str(chosen)


def _text_of(content: bytes) -> str | None:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text


def _redacted_text(content: bytes) -> bytes:
    text = _text_of(content)
    if text is None:
        return content
    head = BLOCK.match(text.removeprefix("\ufeff"))
    if head is None:
        return redact(text).encode()
    # A mark is a list to YAML, so the fields that get one are put in quotes.
    fields, body = redact(_FIELD.sub(_quoted, head.group(1))), redact(head.group(2))
    return content if (fields, body) == head.groups() else f"---\n{fields}---\n{body}".encode()


def _quoted(field: re.Match[str]) -> str:
    name, value, end = field.groups()
    redacted = redact(value)
    return field.group() if redacted == value else f"{name}{json.dumps(redacted, ensure_ascii=False)}{end}"
