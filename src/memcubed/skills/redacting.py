"""The files of skills, redacted: still a skill, that can be read and given back."""

import io
import json
import re
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile

from memcubed.language.redaction import redact, redact_file_name
from memcubed.skills.archive import read_archive
from memcubed.skills.front_matter import BLOCK

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
    with ZipFile(io.BytesIO(content)) as archive, ZipFile(out, "w", ZIP_DEFLATED) as kept:
        for entry in archive.infolist():
            if not entry.is_dir():
                kept.writestr(
                    "/".join(map(redact_file_name, entry.filename.split("/"))), _redacted_text(archive.read(entry))
                )
    return out.getvalue()


def _redacted_text(content: bytes) -> bytes:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return content
    if "\x00" in text:
        return content
    head = BLOCK.match(text.removeprefix("\ufeff"))
    if head is None:
        redacted = redact(text)
    else:
        # A mark is a list to YAML, so the fields that get one are put in quotes.
        fields = redact(_FIELD.sub(_quoted, head.group(1)))
        redacted = f"---\n{fields}---\n{redact(head.group(2))}"
    return redacted.encode() if redacted != text else content


def _quoted(field: re.Match[str]) -> str:
    name, value, end = field.groups()
    redacted = redact(value)
    return field.group() if redacted == value else f"{name}{json.dumps(redacted, ensure_ascii=False)}{end}"
