"""Uploaded skills: a Markdown file, or a zip with SKILL.md at its top."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Final
from uuid import UUID

from memcubed.clock import Clock
from memcubed.contract.links import skill_path
from memcubed.errors import FileFormatError, FileTooLargeError, UnsupportedFileTypeError
from memcubed.language.redaction import redacting
from memcubed.memories.model import MemoryKind, MemoryLayer, NewMemory, SourceRole
from memcubed.memories.schemas import SkillValue
from memcubed.skills.archive import ArchivedFile, read_archive
from memcubed.skills.front_matter import SkillText, read_skill_text
from memcubed.skills.redacting import redacted_skill

MAX_MARKDOWN_BYTES: Final = 100_000
MAX_ZIP_BYTES: Final = 20_000_000
SKILL_FILE: Final = "SKILL.md"
UPLOADED: Final = "uploaded"

_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_SUFFIXES: Final = frozenset({"", ".md", ".markdown", ".zip", ".skill"})
_SHOWN_SCRIPT_BYTES: Final = 20_000
_SHOWN_SCRIPTS_BYTES: Final = 100_000
_CONTEXT_CHARACTERS: Final = 5000


class SkillReader:
    """Makes the memory of an uploaded skill."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def read(self, file_id: UUID, name: str, content: bytes) -> NewMemory:
        """The skill in a file called `name`. Takes up to seconds for a large zip.

        Raises UnsupportedFileTypeError, FileFormatError, FileTooLargeError, FilesTooLargeError or TooManyFilesError.
        """
        if PurePath(name).suffix.lower() not in _SUFFIXES:
            raise UnsupportedFileTypeError(f"{name}: a skill is a Markdown file (.md) or a zip file (.zip).")
        if content.startswith(_ZIP):
            if len(content) > MAX_ZIP_BYTES:
                raise FileTooLargeError(f"{name}: a skill's zip file has at most {MAX_ZIP_BYTES // 1_000_000} MB.")
            content = self.kept(content)
            files = read_archive(content)
            if SKILL_FILE not in files:
                raise FileFormatError(f"{name} has no {SKILL_FILE} at its top.")
            text = _read_markdown(files[SKILL_FILE].head, SKILL_FILE)
        else:
            files = {}
            text = _read_markdown(self.kept(content), name)
        return self._memory(file_id, text, files)

    def kept(self, content: bytes) -> bytes:
        """The file as it is kept: redacted where the running request or job redacts what it brings."""
        most = MAX_ZIP_BYTES if content.startswith(_ZIP) else MAX_MARKDOWN_BYTES
        return redacted_skill(content) if redacting.get() and len(content) <= most else content

    def _memory(self, file_id: UUID, text: SkillText, files: Mapping[str, ArchivedFile]) -> NewMemory:
        value = SkillValue(
            name=text.name,
            description=text.description,
            procedure=text.body,
            script=_scripts(files),
            others={**text.more, **({"files": sorted(files)} if files else {})},
        )
        return NewMemory(
            kind=MemoryKind.SKILL,
            layer=MemoryLayer.LONG_TERM,
            key=text.name,
            value=text.description,
            index_text=f"{text.name}\n{text.description}",
            context_text=text.body[:_CONTEXT_CHARACTERS],
            source_ids=(),
            source_role=SourceRole.DOCUMENT,
            told_at=self._clock(),
            details={"skill": value.model_dump(mode="json"), "url": skill_path(file_id), "type": UPLOADED},
        )


def _read_markdown(content: bytes, name: str) -> SkillText:
    if len(content) > MAX_MARKDOWN_BYTES:
        raise FileTooLargeError(f"{name}: a skill's Markdown has at most {MAX_MARKDOWN_BYTES // 1000} KB.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnsupportedFileTypeError(f"{name} is neither Markdown in UTF-8 nor a zip file.") from error
    return read_skill_text(text, name)


def _scripts(files: Mapping[str, ArchivedFile]) -> dict[str, str]:
    """The small text files under scripts/, by their paths."""
    shown: dict[str, str] = {}
    left = _SHOWN_SCRIPTS_BYTES
    for path, file in sorted(files.items()):
        if not path.startswith("scripts/") or file.size > min(_SHOWN_SCRIPT_BYTES, left) or b"\x00" in file.head:
            continue
        try:
            shown[path] = file.head.decode("utf-8")
        except UnicodeDecodeError:
            continue
        left -= file.size
    return shown
