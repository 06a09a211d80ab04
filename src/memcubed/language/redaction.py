"""Marks in place of what identifies people and opens doors: addresses, numbers with a check digit, keys.

Only what can be told by its form: names and street addresses are left, as are numbers whose check digits do not fit.
"""

import re
from collections.abc import Callable
from typing import Final

from phonenumbers import Leniency, PhoneNumberMatcher

_KEY: Final = re.compile(
    r"\b(?:sk-[\w-]{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,}|AIza[\w-]{35}"
    r"|mc-[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
)
_EMAIL: Final = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])", re.ASCII
)
_IBAN: Final = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_CHINESE_ID: Final = re.compile(r"(?<![A-Za-z0-9])\d{17}[\dXx](?![A-Za-z0-9])")
_CARD: Final = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d])")
_CHINESE_MOBILE: Final = re.compile(r"(?<![\d.])(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)")

_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS: Final = "10X98765432"


def redact(text: str) -> str:
    """The text with `[KEY]`, `[EMAIL]`, `[IBAN]`, `[ID]`, `[CARD]` and `[PHONE]` in their places."""
    if "@" in text:
        text = _EMAIL.sub("[EMAIL]", text)
    text = _KEY.sub("[KEY]", text)
    if not any(letter.isdigit() for letter in text):
        return text
    text = _CHINESE_ID.sub(_if(_is_chinese_id, "[ID]"), text)
    text = _IBAN.sub(_if(_is_iban, "[IBAN]"), text)
    text = _without_phones(text)
    text = _CARD.sub(_if(_is_card, "[CARD]"), text)
    return _CHINESE_MOBILE.sub("[PHONE]", text)


def _if(holds: Callable[[str], bool], mark: str) -> Callable[[re.Match[str]], str]:
    return lambda match: mark if holds(match.group()) else match.group()


def _is_chinese_id(text: str) -> bool:
    # GB 11643: the last character checks the first 17.
    total = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, text, strict=False))
    return _ID_CHECKS[total % 11] == text[-1].upper()


def _is_iban(text: str) -> bool:
    # ISO 13616: read as a number, letters from A = 10, the whole leaves 1 when divided by 97.
    plain = text.replace(" ", "")
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1


def _is_card(text: str) -> bool:
    # ISO 7812, the Luhn check.
    digits = [int(letter) for letter in text if letter.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _without_phones(text: str) -> str:
    """Without numbers in the international form; national ones can't be told from other numbers."""
    if "+" not in text:
        return text
    parts: list[str] = []
    end = 0
    for match in PhoneNumberMatcher(text, None, leniency=Leniency.VALID):
        parts += [text[end : match.start], "[PHONE]"]
        end = match.end
    return "".join([*parts, text[end:]])
