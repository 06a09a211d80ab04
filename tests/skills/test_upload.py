"""What is a skill: Markdown with front matter, or a zip with SKILL.md at its top, within the limits."""

import io
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from uuid import UUID

import pytest

from memcubed.errors import (
    FileFormatError,
    FilesTooLargeError,
    FileTooLargeError,
    MemcubedError,
    TooManyFilesError,
    UnsupportedFileTypeError,
)
from memcubed.memories.model import MemoryKind, NewMemory, SourceRole
from memcubed.memories.schemas import SkillValue
from memcubed.skills.front_matter import read_skill_text
from memcubed.skills.markdown import to_markdown
from memcubed.skills.redacting import redacted_skill
from memcubed.skills.upload import SkillReader

ID = UUID("0b42a1f4-6a29-4a3c-9a77-f34d0a3ef6a4")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
SKILL = """---
name: expense-report
description: Use when: somebody files travel expenses.
license: MIT
---
# Steps

1. Collect the receipts.
"""


def read(content: bytes | str, name: str = "skill.md") -> NewMemory:
    data = content.encode() if isinstance(content, str) else content
    return SkillReader(lambda: NOW).read(ID, name, data)


def zipped(files: Mapping[str, bytes | str], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    return info


def test_markdown() -> None:
    memory = read(SKILL)
    assert (memory.kind, memory.source_role, memory.told_at) == (MemoryKind.SKILL, SourceRole.DOCUMENT, NOW)
    assert (memory.key, memory.value) == ("expense-report", "Use when: somebody files travel expenses.")
    skill = SkillValue.model_validate(memory.details["skill"])
    assert skill.procedure == "# Steps\n\n1. Collect the receipts."
    assert skill.others == {"license": "MIT"}
    assert memory.details["type"] == "uploaded"
    assert str(memory.details["url"]).endswith(f"/download/skill/{ID}")


def test_front_matter_in_real_yaml_with_windows_lines_and_a_mark() -> None:
    text = '\ufeff---\r\nname: "报销"\r\ndescription: >\r\n  两行\r\n  说明\r\n---\r\n正文'
    skill = read_skill_text(text, "a.md")
    assert (skill.name, skill.description, skill.body) == ("报销", "两行 说明", "正文")


def test_zip() -> None:
    content = zipped(
        {"SKILL.md": SKILL, "scripts/sum.py": "print(1)\n", "scripts/logo.png": b"\x89PNG\x00", "a/b.txt": "x"}
    )
    skill = SkillValue.model_validate(read(content, "expense.zip").details["skill"])
    assert skill.name == "expense-report"
    assert skill.script == {"scripts/sum.py": "print(1)\n"}
    assert skill.others["files"] == ["SKILL.md", "a/b.txt", "scripts/logo.png", "scripts/sum.py"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no head at all", "front matter"),
        ("---\nname: a\ndescription: b\n", "front matter"),
        ("---\n---\nbody", "front matter"),
        ("---\nname: a\n---\n", "`description`"),
        ("---\ndescription: b\n---\n", "`name`"),
        ("---\nname:\ndescription: b\n---\n", "`name`"),
        ("---\nname: [a]\ndescription: b\n---\n", "`name`"),
        ("---\nname: a\ndescription: '  '\n---\n", "`description`"),
        ("---\n- name\n- description\n---\n", "fields"),
        ("---\nname: " + "a" * 201 + "\ndescription: b\n---\n", "200 characters"),
        ("---\nname: a\ndescription: " + "b" * 4001 + "\n---\n", "4000 characters"),
        ("---\n" + "[" * 3000 + "\n---\n", "`name`"),
    ],
)
def test_markdown_that_is_no_skill(text: str, told: str) -> None:
    with pytest.raises(FileFormatError, match=r"skill\.md") as caught:
        read(text)
    assert told in caught.value.message


def test_aliases_of_yaml_are_no_bomb() -> None:
    head = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
    )
    assert read(f"---\nname: n\ndescription: d\n{head}---\nbody").key == "n"


def test_sizes_of_markdown() -> None:
    head = "---\nname: a\ndescription: b\n---\n"
    read(head + "x" * (100_000 - len(head)))
    for content, name in ((head + "x" * 100_000, "a.md"), (zipped({"SKILL.md": head + "x" * 100_000}), "a.zip")):
        with pytest.raises(FileTooLargeError, match="100 KB"):
            read(content, name)


@pytest.mark.parametrize("name", ["skill.pdf", "skill.exe", "a.tar.gz"])
def test_other_types_by_name(name: str) -> None:
    with pytest.raises(UnsupportedFileTypeError):
        read(SKILL, name)


def test_other_types_by_content() -> None:
    with pytest.raises(UnsupportedFileTypeError, match="neither"):
        read(b"\x7fELF\xff\xfe")


def test_skill_md_has_to_be_at_the_top() -> None:
    for files in ({"a.txt": "x"}, {"folder/SKILL.md": SKILL}, {}):
        with pytest.raises(FileFormatError):
            read(zipped(files), "a.zip")


@pytest.mark.parametrize(
    "name",
    [
        "../evil.md",
        "a/../../evil",
        "/etc/passwd",
        "a//b",
        "./a",
        "C:/windows",
        "..\\evil",
        "a\\b",
        "a\nb",
        "..",
        "con:x",
    ],
)
def test_names_that_lead_out(name: str) -> None:
    with pytest.raises(FileFormatError, match="leads out"):
        read(zipped({"SKILL.md": SKILL, name: "x"}), "a.zip")


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o644, stat.S_IFCHR | 0o644])
def test_links_and_special_files(mode: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("SKILL.md", SKILL)
        archive.writestr(entry("link", mode), "/etc/passwd")
    with pytest.raises(FileFormatError, match="link"):
        read(buffer.getvalue(), "a.zip")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_file_twice() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for _ in range(2):
            archive.writestr("SKILL.md", SKILL)
    with pytest.raises(FileFormatError, match="twice"):
        read(buffer.getvalue(), "a.zip")


def test_number_of_files() -> None:
    files = {"SKILL.md": SKILL, **{f"{number}.txt": "x" for number in range(199)}}
    read(zipped(files), "a.zip")
    with pytest.raises(TooManyFilesError):
        read(zipped({**files, "one-more.txt": "x"}), "a.zip")


def test_a_long_list_of_entries_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooManyFilesError):
        read(
            zipped({"SKILL.md": SKILL, **{f"{'d' * 200}/{n}": "" for n in range(4000)}}, method=zipfile.ZIP_STORED),
            "a.zip",
        )


def test_bombs_are_counted_while_they_are_unpacked() -> None:
    with pytest.raises(FileTooLargeError, match="10 MB"):
        read(zipped({"SKILL.md": SKILL, "zeros": bytes(10_000_001)}), "a.zip")
    many = zipped({"SKILL.md": SKILL, **{f"{number}": bytes(9_999_999) for number in range(21)}})
    with pytest.raises(FilesTooLargeError, match="200 MB"):
        read(many, "a.zip")


def test_a_size_in_the_head_that_lies_is_not_believed() -> None:
    content = bytearray(zipped({"SKILL.md": SKILL, "zeros": bytes(12_000_000)}))
    real = struct.pack("<I", 12_000_000)
    assert content.count(real) == 2
    with pytest.raises((FileTooLargeError, FileFormatError)):
        read(bytes(content.replace(real, struct.pack("<I", 10))), "a.zip")


def test_zips_over_the_limit_or_damaged() -> None:
    with pytest.raises(FileTooLargeError, match="20 MB"):
        read(b"PK\x03\x04" + bytes(20_000_000), "a.zip")
    whole = zipped({"SKILL.md": SKILL})
    for damaged in (
        whole[:-10],
        whole[:40] + b"\xff\xff\xff\xff" + whole[44:],
        b"PK\x03\x04",
        b"PK\x05\x06" + bytes(30),
    ):
        with pytest.raises(FileFormatError):
            read(damaged, "a.zip")
    with pytest.raises(FileFormatError, match="deflate"):
        read(zipped({"SKILL.md": SKILL}, method=zipfile.ZIP_BZIP2), "a.zip")
    encrypted = bytearray(whole)
    encrypted[whole.rfind(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(FileFormatError, match="password"):
        read(bytes(encrypted), "a.zip")


def test_whatever_bytes_come_only_the_contracts_errors_are_raised() -> None:
    whole = zipped({"SKILL.md": SKILL, "scripts/a.py": "x" * 50})
    change: Callable[[int], bytes] = lambda place: whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]  # noqa: E731
    for place in range(len(whole)):
        try:
            read(change(place), "a.zip")
        except MemcubedError as error:
            assert error.code in {40007, 50103, 50104, 50105, 50107}  # noqa: PT017 - most of them raise, some do not


def test_a_skill_becomes_markdown_that_reads_as_the_same_skill() -> None:
    skill = SkillValue(name='a: "b"', description="多行\nx", procedure="1. x", experience=["e"], preference=["p"])
    text = read_skill_text(to_markdown(skill), "a.md")
    assert (text.name, text.description) == (skill.name, skill.description)
    assert text.body == "1. x\n\n## Experience\n\n- e\n\n## Preferences\n\n- p"


HEAD = "---\nname: contact\ndescription: {}\n---\n"


@pytest.mark.parametrize(
    ("said", "described"),
    [
        ("13812345678", "[PHONE]"),
        ('"ada@example.com: when in doubt"', "[EMAIL]: when in doubt"),
        ("Use when: asked for ada@example.com", "Use when: asked for [EMAIL]"),
        ("|\n  Call 13812345678\n  or wait.", "Call [PHONE]\nor wait."),
        ("plain", "plain"),
    ],
)
def test_a_redacted_head_is_still_one(said: str, described: str) -> None:
    content = redacted_skill(HEAD.format(said).encode())
    assert read(content, "a.md").value.strip() == described
    assert redacted_skill(content) == content


def test_a_zip_is_redacted_entry_by_entry() -> None:
    files = {
        "SKILL.md": SKILL,
        "notes/13812345678.txt": "a",
        "notes/13987654321.txt": "b",
        "run.sh": "call 13812345678",
    }
    with zipfile.ZipFile(io.BytesIO(redacted_skill(zipped(files)))) as archive:
        held = {name: archive.read(name).decode() for name in archive.namelist()}
    assert held == {"SKILL.md": SKILL, "notes/[PHONE].txt": "a", "notes/[PHONE] 2.txt": "b", "run.sh": "call [PHONE]"}


def test_a_zip_with_nothing_to_redact_stays_as_it_is() -> None:
    content = zipped({"SKILL.md": SKILL, "logo.png": b"\x89PNG\x00"}, method=zipfile.ZIP_STORED)
    assert redacted_skill(content) == content


def test_a_script_stays_executable() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("SKILL.md", SKILL)
        archive.writestr(entry("run.sh", 0o100755), "call 13812345678")
    with zipfile.ZipFile(io.BytesIO(redacted_skill(buffer.getvalue()))) as archive:
        assert archive.getinfo("run.sh").external_attr >> 16 == 0o100755


def test_too_much_text_to_redact() -> None:
    files = {"SKILL.md": SKILL, **{f"{number}.txt": "x" * 2_000_000 for number in range(3)}}
    with pytest.raises(FilesTooLargeError, match="5 MB"):
        redacted_skill(zipped(files))
