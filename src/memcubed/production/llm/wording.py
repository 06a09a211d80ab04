"""What two texts share: the measure that the guards of the extraction stand on."""

import re
from dataclasses import dataclass

from memcubed.language.cleaning import normalised
from memcubed.language.stopwords import CHINESE, ENGLISH
from memcubed.language.words import tokens

_HAN_RUN = re.compile(r"[㐀-䶿一-鿿豈-﫿]+")
_HAN_CHAR = re.compile(r"[㐀-䶿一-鿿豈-﫿]")
_LATIN = re.compile(r"[^\W㐀-䶿一-鿿豈-﫿]")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
# Words that every memory is framed in; they say nothing about what it is based on.
_FRAME_ZH = re.compile(
    "用户|说话人|可能|偏好|倾向于?|计划|打算|准备|选择了?|决定|喜欢|希望|表示|提到|明确|认为|愿意|想要|需要|已经|目前|正在"
)
_FRAME_EN = frozenset(
    tokens(
        "user users may might prefer prefers preference plan plans planned planning chose chosen choose decided want"
        " wants wanted like likes liked mentioned stated said says intends need needs considers considering currently"
    )
)
_STOP_CHARACTERS = frozenset(word for word in CHINESE if len(word) == 1)
_NEGATIONS = re.compile(
    r"不|没|无|别|非|\b(?:not|never|no|without|stopped|quit|hates?|dislikes?|avoids?)\b|n['’]t\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Wording:
    """The content of a text in comparable units: Chinese character pairs, stems of other words."""

    units: frozenset[str]

    def share_in(self, other: "Wording") -> float:
        """Say which part of these units occurs in `other`, from 0 to 1; 0 when there are none."""
        return len(self.units & other.units) / len(self.units) if self.units else 0.0

    def without(self, other: "Wording") -> "Wording":
        """Leave out what `other` has as well."""
        return Wording(self.units - other.units)

    def __or__(self, other: "Wording") -> "Wording":
        return Wording(self.units | other.units)


def wording(*texts: str, framed: bool = False) -> Wording:
    """Break texts into their units; `framed` leaves out the words of a memory's frame (用户计划, "the user")."""
    units: set[str] = set()
    for raw in texts:
        text = normalised(raw)
        if framed:
            text = _FRAME_ZH.sub(" ", text)
        for match in _HAN_RUN.finditer(text):
            units.update(_pairs(match.group(0)))
        latin = {token for token in tokens(" ".join(_HAN_RUN.split(text))) if token not in ENGLISH}
        units.update(latin - _FRAME_EN if framed else latin)
    return Wording(frozenset(units))


def numbers(text: str) -> frozenset[str]:
    """Collect the numbers in a text."""
    return frozenset(_NUMBER.findall(normalised(text)))


def negations(text: str) -> int:
    """Count the negations in a text: two texts that differ in them do not say the same."""
    return len(_NEGATIONS.findall(text))


def has_latin(text: str) -> bool:
    """Whether the text holds letters or digits that are not Chinese."""
    return _LATIN.search(text) is not None


def _pairs(run: str) -> set[str]:
    # 的 and 了 come and go when a sentence is said again; pairs are made of the characters that stay
    kept = [char for char in run if char not in _STOP_CHARACTERS]
    if len(kept) == 1:
        return set(kept)
    return {kept[index] + kept[index + 1] for index in range(len(kept) - 1)}
