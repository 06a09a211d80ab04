"""Numbers that states give to persons, told by a form of their own and their check digits."""

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.cn import ric
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.kr import rrn
from stdnum.mx import curp

GAP: Final = "[ \u00a0\u2010-\u2013-]"
"""What may stand between the groups of a long number."""

_TAIWANESE_WEIGHTS: Final = (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)
_TAIWANESE_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVXYWZIO"  # in the order of their numbers, from 10 on
_ALONE: Final = r"(?<!\d )", r"(?! \d)"


def _is_chinese(text: str) -> bool:
    return ric.is_valid(re.sub(GAP, "", text))


def _is_of_hong_kong(text: str) -> bool:
    values = [int(character, 36) for character in text if character not in "()"]
    values = [36] * (9 - len(values)) + values
    return sum(weight * value for weight, value in zip(range(9, 0, -1), values, strict=True)) % 11 == 0


def _is_of_taiwan(text: str) -> bool:
    letter = _TAIWANESE_LETTERS.index(text[0]) + 10
    digits = [letter // 10, letter % 10, *map(int, text[1:])]
    return sum(weight * digit for weight, digit in zip(_TAIWANESE_WEIGHTS, digits, strict=True)) % 10 == 0


def _has_no_check_digit(_: str) -> bool:
    return True


_FORMS: Final[tuple[tuple[str, Callable[[str], bool]], ...]] = (
    (rf"[1-9]\d{{5}}(?P<gap>{GAP}?)(?:19|20)\d{{6}}(?P=gap)\d{{3}}[\dXx]", _is_chinese),
    (r"[A-Z]{1,2}\d{6}\([0-9A]\)", _is_of_hong_kong),
    (r"[A-Z][1289]\d{8}", _is_of_taiwan),
    (r"(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}", _has_no_check_digit),  # the United States'
    (r"\d{6}-\d{7}", rrn.is_valid),
    (r"\d{3}\.\d{3}\.\d{3}-\d\d", cpf.is_valid),
    (r"[A-Z]{6}[0-9LMNPQRSTUV]{2}[A-EHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]", codicefiscale.is_valid),
    (rf"{_ALONE[0]}[12] ?\d\d ?(?:0[1-9]|1[0-2]) ?\d[\dAB] ?\d{{3}} ?\d{{3}} ?\d\d{_ALONE[1]}", nir.is_valid),
    (rf"{_ALONE[0]}[2-9]\d{{3}}(?P<space>[ -])\d{{4}}(?P=space)\d{{4}}{_ALONE[1]}", aadhaar.is_valid),
    (r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d", curp.is_valid),
    (r"\d{6}[-+A]\d{3}[0-9A-FHJ-NPR-Y]", hetu.is_valid),
    (r"\d{3}-\d{3}-\d{3}", sin.is_valid),
)
_COMPILED: Final = tuple(
    (re.compile(rf"(?<![A-Za-z0-9_.])(?<![A-Za-z0-9]-){form}(?![A-Za-z0-9]|-[A-Za-z0-9]|[.:/]\d)"), is_valid)
    for form, is_valid in _FORMS
)


def redact_ids(text: str) -> str:
    """The text with `[ID]` for the numbers of persons: of China with Hong Kong and Taiwan, and of other countries.

    These are the United States, Korea, Brazil, Italy, France, India, Mexico, Finland and Canada.
    """
    for form, is_valid in _COMPILED:
        text = form.sub(partial(_mark, is_valid), text)
    return text


def _mark(is_valid: Callable[[str], bool], match: re.Match[str]) -> str:
    return "[ID]" if is_valid(match.group()) else match.group()
