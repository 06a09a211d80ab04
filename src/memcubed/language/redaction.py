"""Marks in place of what identifies people and opens doors: addresses, numbers with a check digit, keys.

Only what can be told by its form: names and street addresses are left, as are numbers whose check digits do not fit.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import PurePath
from typing import Final

import phonenumbers
from phonenumbers import Leniency, NumberParseException, PhoneNumberMatcher
from stdnum import iban

from memcubed.language.id_forms import GAP, redact_ids
from memcubed.language.key_forms import redact_keys

_CHINESE_TOPS: Final = "中国|中國|公司|网络|網絡|网址|集团|在线|中文网|商城|我爱你|香港|台湾|台灣"
_LETTER: Final = r"A-Za-z0-9À-ɏ"
# The local part of an address in Chinese letters begins behind these, as there are no blanks.
_EMAIL: Final = re.compile(
    rf"(?<![{_LETTER}_.+-])(?!git@)[{_LETTER}][{_LETTER}_.+%-]{{0,63}}@(?!\d{{1,2}}x\.)"
    rf"(?:(?:[{_LETTER}-]{{1,63}}\.){{1,8}}[A-Za-z]{{2,24}}(?![A-Za-z0-9_-])"
    rf"|(?:[{_LETTER}\u4e00-\u9fff-]{{1,63}}\.){{1,4}}(?:{_CHINESE_TOPS}))"
    r"|(?:(?<=[是为到给])|(?<![\w.+-]))(?:[^\W是为到给]|[.+-]){1,20}@[\w-]{1,63}"
    rf"(?:\.[\w-]{{1,63}}){{0,3}}\.(?:{_CHINESE_TOPS})"
)
_START: Final = r"(?<![A-Za-z0-9.])"

_IBAN: Final = re.compile(rf"{_START}[A-Z]{{2}}\d{{2}}(?: ?[A-Z0-9]{{4}}){{2,7}}(?: ?[A-Z0-9]{{1,3}})?(?![A-Za-z0-9])")
# What issuers of bank cards begin with (ISO 7812), in one piece or in groups of four, four-six-five or six-thirteen;
# not as a step of a URL's path.
_CARD: Final = re.compile(
    rf"{_START}(?<![A-Za-z]/)(?:(?=[3-6]|22[2-9]|2[3-6]|27[01]|2720|81|9558)"
    rf"(?:\d{{4}}({GAP})\d{{4}}\1\d{{4}}\1\d{{1,4}}(?:\1\d{{1,3}})?|3\d{{3}}({GAP})\d{{6}}\2\d{{4,5}}"
    rf"|\d{{6}}{GAP}\d{{10,13}}|\d{{14,19}}))(?![A-Za-z0-9]|\.\d)",
)
_CHINESE_MOBILE: Final = re.compile(
    rf"{_START}(?:(?:\+|00)?86{GAP}?)?1[3-9]\d{GAP}?\d{{4}}{GAP}?\d{{4}}(?![A-Za-z0-9]|\.\d)"
)
_CHINESE_LANDLINE: Final = re.compile(
    rf"{_START}(?<![-/])(?:0\d{{2,3}}{GAP}|[(（]0\d{{2,3}}[)）]{GAP}?)[2-9]\d{{2,3}}{GAP}?\d{{4}}"
    r"(?![A-Za-z0-9]|[-/.]\d{6})"
    rf"|{_START}(?<![-/])010[-\u2010-\u2013]1\d{{7}}(?![A-Za-z0-9-])"
)
_AMERICAN_PHONE: Final = re.compile(
    r"(?<![\w.)/-])(?:1[ .-])?(?:(?:\([2-9]\d\d\) ?|[2-9]\d\d-)[2-9]\d\d-|[2-9]\d\d\.[2-9]\d\d\.)\d{4}"
    r"(?![\w/-]|\.\d)",
    re.ASCII,
)
_INTERNATIONAL: Final = re.compile(r"(?<![\w+.])\+[(\d][\d ().\u00a0\u2010-\u2013/-]{5,30}\d(?!\d)", re.ASCII)

_WIDE: Final = {
    code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF5B), 0xFF20, 0xFF0B, 0xFF0D)
}
_WIDE_TEXT: Final = re.compile("[０-９＠]")
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_DIGIT: Final = re.compile(r"\d")
_ESCAPES: Final = re.compile(r"(?:\\+u[0-9a-fA-F]{4})+|\\[nrtbf]")
_SEAM: Final = "\ufdd0"  # no character, by Unicode's word

redacting: ContextVar[bool] = ContextVar("redacting", default=False)
"""Whether the project of the running request or job has what it brings redacted."""


@contextmanager
def redaction(*, is_on: bool) -> Iterator[None]:
    """Redact, or do not, what the block brings."""
    token = redacting.set(is_on)
    try:
        yield
    finally:
        redacting.reset(token)


def redact_if_asked(text: str) -> str:
    """The text as the running request's or job's project stores it, and shows it to models."""
    return redact(text) if redacting.get() else text


def redact_file_name(name: str) -> str:
    """The name redacted, with its ending: `[EMAIL].pdf`."""
    path = PurePath(name)
    with_ending = redact(path.stem) + path.suffix
    return with_ending if redact(with_ending) == with_ending else redact(name)


def file_name_if_asked(name: str) -> str:
    """The file's name as the running request's or job's project stores it, and shows it to models."""
    return redact_file_name(name) if redacting.get() else name


def redact(text: str) -> str:
    """The text with `[EMAIL]`, `[KEY]`, `[PASSWORD]`, `[IBAN]`, `[ID]`, `[CARD]` and `[PHONE]` in their places."""
    # Where nothing is found, the text stays as it was written: in wide digits, and with the escapes of JSON.
    plain = _narrow(_seamed(text))
    redacted = _redact(plain)
    return text if redacted == plain else redacted.replace(_SEAM, "")


def _redact(text: str) -> str:
    text = redact_keys(text)
    if "@" in text:
        text = _EMAIL.sub("[EMAIL]", text)
    if not _DIGIT.search(text):
        return text
    text = redact_ids(text)
    text = _IBAN.sub(_longest(_is_iban, "[IBAN]"), text)
    text = _CARD.sub(_longest(_is_card, "[CARD]"), text)
    if "+" in text:
        text = _INTERNATIONAL.sub(_without_international, text)
    text = _CHINESE_MOBILE.sub("[PHONE]", text)
    text = _CHINESE_LANDLINE.sub(_if(_is_phone_of("CN"), "[PHONE]"), text)
    if "-" in text or "." in text:
        text = _AMERICAN_PHONE.sub(_if(_is_phone_of("US"), "[PHONE]"), text)
    return text


def _narrow(text: str) -> str:
    return text.translate(_WIDE) if _WIDE_TEXT.search(text) else text


def _seamed(text: str) -> str:
    r"""With letters for JSON's escapes of them, and a seam after every other escape.

    The last digit of a `号` that is written \u53f7 belongs to no number that follows, nor the n of a \n to an address.
    """
    return _ESCAPES.sub(_letters, text) if "\\" in text else text


def _letters(match: re.Match[str]) -> str:
    escape = match.group()
    codes = escape.replace("\\", "").split("u")[1:]
    letters: str = json.loads('"' + "".join(f"\\u{code}" for code in codes) + '"')
    is_readable = letters and all(letter > "\u009f" and not "\ud800" <= letter <= "\udfff" for letter in letters)
    return letters if is_readable else escape + _SEAM


def _if(holds: Callable[[str], bool], mark: str) -> Callable[[re.Match[str]], str]:
    return lambda match: mark if holds(_compact(match.group())) else match.group()


def _longest(holds: Callable[[str], bool], mark: str) -> Callable[[re.Match[str]], str]:
    """A mark for as many of the groups, from the first, as make a number: what follows it may look like one more."""

    def replace(match: re.Match[str]) -> str:
        text = match.group()
        end = len(text)
        while end > 0:
            if holds(_compact(text[:end])):
                return mark + text[end:]
            end = max(text.rfind(gap, 0, end) for gap in " \u00a0-\u2010\u2011\u2012\u2013")
        return text

    return replace


def _compact(text: str) -> str:
    return re.sub(GAP, "", text)


def _is_iban(text: str) -> bool:
    # Read as a number it leaves 1, which is quick to see; lists of countries' banks grow old.
    remainder = int("".join(str(int(letter, 36)) for letter in text[4:] + text[:4])) % 97
    return remainder == 1 and bool(iban.is_valid(text, check_country=False))


def _is_card(digits: str) -> bool:
    shortest = 14 if digits[:2] in {"30", "36", "38", "39"} else 15 if digits[:2] in {"34", "37"} else 16
    return len(digits) >= shortest and len(set(digits)) > 1 and _passes_luhn(digits)


def _passes_luhn(digits: str) -> bool:
    numbers = [int(digit) for digit in digits]
    return (sum(numbers[-1::-2]) + sum(_DOUBLED[number] for number in numbers[-2::-2])) % 10 == 0


def _is_phone_of(region: str) -> Callable[[str], bool]:
    def is_phone(text: str) -> bool:
        try:
            return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
        except NumberParseException:
            return False

    return is_phone


def _without_international(found: re.Match[str]) -> str:
    text = found.group()
    parts: list[str] = []
    end = 0
    for match in PhoneNumberMatcher(text, None, leniency=Leniency.VALID):
        parts += [text[end : match.start], "[PHONE]"]
        end = match.end
    return "".join([*parts, text[end:]])
