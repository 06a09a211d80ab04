"""Zip files that users send, read without trusting a word of them: names, sizes and kinds of entries.

Nothing is ever written to a disk, and sizes are counted while entries are decompressed, whatever their headers say.
"""

import io
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo
from zlib import error as ZlibError  # noqa: N812 - it is a class

from memcubed.errors import FileFormatError, FilesTooLargeError, FileTooLargeError, TooManyFilesError

MAX_FILES: Final = 200
MAX_FILE_BYTES: Final = 10_000_000
MAX_TOTAL_BYTES: Final = 200_000_000
KEPT_BYTES: Final = 100_001

_MAX_DIRECTORY_BYTES: Final = 1_000_000
_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22
_END64_LOCATOR: Final = b"PK\x06\x07"
_LOCATOR_BYTES: Final = 20
_LONGEST_COMMENT: Final = 65_535
_CHUNK: Final = 64 * 1024
_ENCRYPTED: Final = 0x1


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file in a zip: how many bytes it has, and the first `KEPT_BYTES` of them."""

    size: int
    head: bytes


def read_archive(content: bytes) -> dict[str, ArchivedFile]:
    """The files of a zip by their paths, all of them read to their end.

    Raises FileFormatError, TooManyFilesError, FileTooLargeError or FilesTooLargeError.
    """
    _check_directory(content)
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            entries = list(_checked(archive.infolist()))
            return dict(_read_all(archive, entries))
    # all that zipfile is known to raise for files that are damaged, encrypted or packed in ways it can't read
    except (BadZipFile, ZlibError, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise FileFormatError("The zip file is damaged.") from error


def _check_directory(content: bytes) -> None:
    """Refuse a list of entries that is too long before anything reads it."""
    place = content.rfind(_END, max(0, len(content) - _END_BYTES - _LONGEST_COMMENT))
    if place < 0 or len(content) - place < _END_BYTES:
        raise FileFormatError("The zip file is damaged.")
    (size,) = struct.unpack_from("<I", content, place + 12)
    before = content[max(0, place - _LOCATOR_BYTES) : place]
    if size > _MAX_DIRECTORY_BYTES or before.startswith(_END64_LOCATOR):
        raise TooManyFilesError(f"The zip file has more than {MAX_FILES} files.")


def _checked(entries: list[ZipInfo]) -> Iterator[ZipInfo]:
    files = [entry for entry in entries if not entry.is_dir()]
    if len(files) > MAX_FILES:
        raise TooManyFilesError(f"The zip file has {len(files)} files; at most {MAX_FILES} are allowed.")
    seen: set[str] = set()
    for entry in entries:
        _check_name(entry)
        mode = stat.S_IFMT(entry.external_attr >> 16)
        if mode not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise FileFormatError("The zip file has a link or a special file in it.")
        if entry.flag_bits & _ENCRYPTED:
            raise FileFormatError("The zip file is protected by a password.")
        if entry.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
            raise FileFormatError("The zip file is packed by a method other than deflate.")
        if entry.filename.casefold() in seen:
            raise FileFormatError("The zip file has the same file twice.")
        seen.add(entry.filename.casefold())
    yield from files


def _check_name(entry: ZipInfo) -> None:
    # `orig_filename`: zipfile itself cuts a name at a NUL, and turns backslashes around on Windows.
    name = entry.orig_filename
    parts = name.rstrip("/").split("/")
    if not name.isprintable() or "\\" in name or ":" in name or any(part in {"", ".", ".."} for part in parts):
        raise FileFormatError("The zip file has a file whose name leads out of it.")


def _read_all(archive: ZipFile, entries: list[ZipInfo]) -> Iterator[tuple[str, ArchivedFile]]:
    total = 0
    for entry in entries:
        head, size = bytearray(), 0
        with archive.open(entry) as file:
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                total += len(chunk)
                if size > MAX_FILE_BYTES:
                    raise FileTooLargeError(f"A file in the zip file is larger than {MAX_FILE_BYTES // 1_000_000} MB.")
                if total > MAX_TOTAL_BYTES:
                    raise FilesTooLargeError(
                        f"The files in the zip file have more than {MAX_TOTAL_BYTES // 1_000_000} MB together."
                    )
                head += chunk[: max(0, KEPT_BYTES - len(head))]
        yield entry.filename, ArchivedFile(size, bytes(head))
