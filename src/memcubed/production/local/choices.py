"""Options that were listed, and which of them somebody takes.

A choice is told by an ordinal ("the second one", 第二个), by the option's own words, or by a standard
("the cheapest", 最便宜的).
"""

import re
from dataclasses import dataclass
from typing import Final

from memcubed.language.sentences import clauses, clip, list_mark, sentences
from memcubed.language.words import tokens
from memcubed.production.local.smalltalk import is_question

_MAX_OFFER: Final = 2_000
_MAX_OPTION: Final = 90
_MAX_OPTIONS: Final = 8
_MAX_CHOICE: Final = (45, 140)

_INLINE: Final = re.compile(r"(?:^|[\s：:；;，,])(?:\d{1,2}[.、)）]|[①-⑧]|[一二三四五六]、)\s*")
_BRACKETS: Final = re.compile(r"[【\[「『“]([^】\]」』”]*[、,，/][^】\]」』”]*)[】\]」』”]")
_ZH_ITEM: Final = r"[^\s，。！？；：、“”【】（）,.!?]{1,14}?"
_ZH_RUN: Final = re.compile(
    rf"({_ZH_ITEM}(?:、{_ZH_ITEM})+(?:、|和|或者?|还是"
    rf"|以及)?[^\s，。！？；：、“”【】（）,.!?]{{1,14}})(?=[，。！？；,.!?\s]|$)"
)
_ZH_HEAD: Final = re.compile(r"^.*?(?:可以|考虑|比如|例如|推荐|包括|试试|选择|看看|有|是|选|住|去)(?=.)")
_ZH_TAIL: Final = re.compile(r"(?:等等?|之类的?|这几[家个种]|都(?:行|可以|不错)|[三四五两]?(?:个|家|款|种)).{0,4}$")
_ZH_EITHER: Final = re.compile(r"([^，。！？、：；\s]{1,12}?)还是([^，。！？、：；\s呢]{1,12})")
_EN_ITEM: Final = r"(?<![\w'’&£$€%-])(?:[\w'’&£$€%-]|,(?=\d)){1,30}(?:\s(?:[\w'’&£$€%-]|,(?=\d)){1,30}){0,7}"
_EN_RUN: Final = re.compile(rf"({_EN_ITEM}(?:,\s{_EN_ITEM}){{1,8}},?\s(?:or|and)\s{_EN_ITEM})", re.IGNORECASE)
_EN_EITHER: Final = re.compile(rf"(?:either |between |prefer |: )({_EN_ITEM})\s(?:or|and)\s({_EN_ITEM})", re.IGNORECASE)
_EN_HEAD: Final = re.compile(
    r"^.*\b(?:consider|try|are|like|including|include|between|either|have|offer|offers|recommend|suggest|is|got"
    r"|choose|pick|do|prefer|for)\s",
    re.IGNORECASE,
)

_ZH_ORDINAL: Final = re.compile(
    r"第([一二三四五六七八1-8])(?:个|种|套|款|条|家|间|项|档|本|份|班|趟|台)?|(?:方案|选项"
    r"|选)([一二三四五六1-6])(?![\d个天月年点])"
)
_ZH_PLACE: Final = {"前者": 0, "后者": -1, "中间那": 1, "中间的": 1, "最后一": -1, "最后那": -1}
_ZH_CHOOSE: Final = re.compile(r"选|挑|要|就|订|定|拿|买|用|试|来|决定|还是|听你|方案|第")
_ZH_NEGATED: Final = re.compile(r"不(?:要|选|想|用|考虑|喜欢|行|好|适合|合适|合算)|别|算了|没|太|去过|吃过|试过|用过")
_ZH_STANDARD: Final = re.compile(
    r"最(?!后|近|多|少|好是)([^，。！？\s的那]{1,4})(?:的(?:那|一|吧|就|$|[，。！])|那[个家种款套条])"
)
_EN_NUMBERS: Final = {
    "first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1, "final": -1, "middle": 1,
    "former": 0, "latter": -1, "one": 0, "two": 1, "three": 2, "a": 0, "b": 1, "c": 2,
}  # fmt: skip
_EN_ORDINAL: Final = re.compile(
    r"(?:^|\bthe\s|,\s)(first|second|third|fourth|fifth|last|final|middle|former|latter)\b(?=\s(?:one|option|idea"
    r"|plan|suggestion|choice)\b|[.,!;]|$|\s(?:then|please|sounds|it is|for me))"
    r"|\b(?:option|number|plan|choice)\s(one|two|three|a|b|c|[1-6])\b",
    re.IGNORECASE,
)
_EN_CHOOSE: Final = re.compile(
    r"\b(?:choose|chose|pick|picked|picking|take|taking|go with|going with|went with|go for|going for|went for"
    r"|have|book|booked|booking|get|getting|prefer|want|order|ordered|decided on|settled on|offered on|buy"
    r"|bought)\b|['’]ll\b",
    re.IGNORECASE,
)
_EN_NEGATED: Final = re.compile(r"\b(?:not|don't|didn't|won't|never|none|neither|nor)\b", re.IGNORECASE)
_EN_STANDARD: Final = re.compile(
    r"\bthe\s((?:most|least)\s\w+|(?!best\b|latest\b|west|east|rest\b|interest|forest|guest|request|contest|test\b"
    r"|nearest thing)[a-z]{3,}est)(?:\sone|\soption|\sof|[.,!;]|$|\splease|\sthen)",
    re.IGNORECASE,
)
_STARTED: Final = re.compile(r"开始|先做|先从|着手|\b(?:start|starting|begin|beginning|first thing)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was taken of some options: one of them (`taken` is its place), or a `standard` such as 最便宜 or 'cheapest'.

    `order` when the words only say where to begin, which is no liking.
    """

    options: tuple[str, ...]
    taken: int | None
    standard: str | None
    order: bool = False


def may_choose(text: str, *, chinese: bool) -> bool:
    """Whether a turn is short enough to be a choice."""
    return len(text) <= _MAX_CHOICE[0 if chinese else 1] * 3


def options(text: str) -> tuple[str, ...]:
    """Return the two or more options that a text lists, or ()."""
    text = text[:_MAX_OFFER]
    lines = [line.strip() for line in text.splitlines()]
    listed = [line[len(mark) :] for line in lines if (mark := list_mark(line))]
    if len(listed) < 2:  # noqa: PLR2004 - two make a choice
        parts = _INLINE.split(text)
        listed = parts[1:] if len(parts) > 2 else []  # noqa: PLR2004 - a head and two items
    if not listed:
        listed = _separated(text) or _run(text)
    cleaned = tuple(item for raw in listed if (item := _trim(raw)))
    return cleaned[:_MAX_OPTIONS] if len(cleaned) > 1 else ()


def choice(text: str, offered: tuple[str, ...], *, chinese: bool) -> Choice | None:
    """Return what a short turn takes of the options, or None. Questions and refusals take nothing."""
    if len(offered) < 2:  # noqa: PLR2004
        return None
    said = [s for s in sentences(text)[:3] if not is_question(s)]
    for sentence in [c for s in said for c in clauses(s)[:4]] if chinese else said:
        if len(sentence) > _MAX_CHOICE[0 if chinese else 1]:
            continue
        order = bool(_STARTED.search(sentence))
        taken = _taken(sentence, offered, chinese=chinese)
        if taken is not None:
            return Choice(offered, taken, None, order)
        standard = (_ZH_STANDARD if chinese else _EN_STANDARD).search(sentence)
        chosen = (_ZH_CHOOSE if chinese else _EN_CHOOSE).search(sentence)
        opens = standard and standard.start() <= 1
        if standard and (chosen or opens) and not (_ZH_NEGATED if chinese else _EN_NEGATED).search(sentence):
            return Choice(offered, None, standard.group(1).strip(), order)
    return None


def _taken(sentence: str, offered: tuple[str, ...], *, chinese: bool) -> int | None:
    place = _zh_ordinal(sentence) if chinese else _en_ordinal(sentence)
    negated = (_ZH_NEGATED if chinese else _EN_NEGATED).search(sentence)
    if place is not None:
        at = place if place >= 0 else len(offered) + place
        return at if 0 <= at < len(offered) and not negated else None
    if negated or not (_ZH_CHOOSE if chinese else _EN_CHOOSE).search(sentence):
        return None
    said = set(tokens(sentence))
    folded = sentence.lower()
    scores = [_overlap(option, said, folded) for option in offered]
    best = max(scores)
    return scores.index(best) if best > 0 and scores.count(best) == 1 and sum(s > 0 for s in scores) == 1 else None


def _overlap(option: str, said: set[str], folded: str) -> int:
    if option.lower() in folded:
        return len(option)
    words = {word for word in tokens(option) if len(word) > 1 and not word.isdigit()}
    shared = len(said & words)
    return shared if shared * 2 >= len(words) else 0


def _zh_ordinal(sentence: str) -> int | None:
    match = _ZH_ORDINAL.search(sentence)
    if match:
        digit = match.group(1) or match.group(2)
        return int(digit) - 1 if digit.isdigit() else "一二三四五六七八".index(digit)
    return next((place for words, place in _ZH_PLACE.items() if words in sentence), None)


def _en_ordinal(sentence: str) -> int | None:
    match = _EN_ORDINAL.search(sentence)
    if not match:
        return None
    opens = match.start() <= 1 or len(sentence.split()) <= 6  # noqa: PLR2004 - an answer of a few words
    if not opens and not _EN_CHOOSE.search(sentence) and not _STARTED.search(sentence):
        return None
    word = (match.group(1) or match.group(2)).lower()
    return int(word) - 1 if word.isdigit() else _EN_NUMBERS[word]


def _separated(text: str) -> list[str]:
    """Return the parts of a sentence that semicolons set apart, as in 'The tent is light; the van is warm'."""
    for sentence in re.split(r"[。！？!?\n]|\.\s", text):
        parts = [part for part in re.split(r"[；;]", sentence) if part.strip()]
        if len(parts) > 1:
            return [re.sub(r"^[^：:]{0,30}[：:]\s*", "", parts[0]), *parts[1:]]
    return []


def _run(text: str) -> list[str]:
    """Return the items of a list inside a sentence."""
    bracket = _BRACKETS.search(text)
    if bracket:
        return re.split(r"[、,，/]", bracket.group(1))
    for pattern, split, head in (
        (_ZH_RUN, r"、|和|或者?|还是|以及", _ZH_HEAD),
        (_EN_RUN, r",\s(?:or\s|and\s)?|\s(?:or|and)\s", _EN_HEAD),
    ):
        match = pattern.search(text)
        if match:
            items = [item for item in re.split(split, match.group(1)) if item]
            items[0] = head.sub("", items[0])
            return items
    for pattern in (_ZH_EITHER, _EN_EITHER):
        match = pattern.search(text)
        if match:
            return [match.group(1), match.group(2)]
    return []


def _trim(option: str) -> str:
    option = option.strip(" \t\n；;，,。.、：:")
    if len(option) <= 14:  # noqa: PLR2004 - short items of a Chinese run carry their 'and so on'
        option = _ZH_TAIL.sub("", option) or option
    return clip(option, _MAX_OPTION) if len(option) > 1 or (option.isalnum() and option.isascii()) else ""
