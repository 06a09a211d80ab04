"""Whether a memory says what a correction denies, and what the memory still says without it.

Conservative: a memory that is left stands beside the correction, which outranks it; one that is archived is gone from
recall. So the denied value has to occur in the memory, and the rest has to be about the same thing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum, auto
from typing import Final

import rjieba

from memcubed.feedback.correction import Correction
from memcubed.feedback.replacement import phrase_pattern
from memcubed.language.cleaning import normalised
from memcubed.language.detect import has_han
from memcubed.language.sentences import sentences
from memcubed.language.stopwords import CHINESE
from memcubed.language.words import tokens

_LEAST_SHARED: Final = 0.8
_MOST_MORE: Final = 0.6
_MOST_MORE_UNSAID: Final = 0.34
_MOST_MORE_OF_ENDED: Final = 0.75
_MOST_BETWEEN: Final = 2
_MOST_BETWEEN_ZH: Final = 6

_FRAME: Final = re.compile(
    r"^(?P<head>[^“\"]{0,80}(?:说|要求|更正|said|asked|corrected)(?:：|:)?\s*[“\"])(?P<body>.*?)(?P<tail>[”\"][^”\"]*)$",
    re.DOTALL,
)
_FRAME_TEXT: Final = """
用户 说话 人 说 表示 提到 认为 目前 现在 已经 公司 我司 元 块 更正 user users say said state mention current correct
"""
_FRAME_WORDS: Final = frozenset(_FRAME_TEXT.split())
_HAN_RUN: Final = re.compile(r"[㐀-䶿一-鿿豈-﫿]+")
_CHANGING: Final = re.compile(
    r"(?:调整|提高|降低|改|变|搬|换|涨|降|调|转|升|推迟|提前)(?:成|为|到|至)?"
    r"|(?:mov|reloc|chang|switch|migrat|rais|lower|increas|reduc|reschedul|postpon|shift|updat|renam)[a-z]*"
)
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_NUMBER_WITH_UNIT: Final = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s?([%％]|[A-Za-z]{1,4}\b|[㐀-䶿一-鿿]?)")
_NEGATED: Final = re.compile(
    r"(?:不(?:再)?(?:是|在|叫|为)?|没有?|而非|并非|\bnot(?: in| at| on| the| a)?|n['’]t|\bno longer"
    r"|\binstead of|\brather than)\s*$",
    re.IGNORECASE,
)
_NEGATION: Final = re.compile(r"不|没|别|\b(?:not|never|no|stopped|quit|gave up|used to)\b|n['’]t\b", re.IGNORECASE)
_OTHERS: Final = re.compile(
    r"妈妈?|爸爸?|母亲|父亲|父母|姐姐?|妹妹?|哥哥?|弟弟?|奶奶|爷爷|外婆|外公|老公|老婆|丈夫|妻子|太太|男友|女友|男朋友|女朋友|儿子|女儿|孩子"
    r"|朋友|同事|同学|室友|邻居|老板|领导|老师|客户"
    r"|\b(?:mother|mom|mum|father|dad|parents?|sister|brother|grandmother|grandma|grandfather|grandpa|husband|wife|partner"
    r"|boyfriend|girlfriend|son|daughter|kids?|child|children|uncle|aunt|cousin|friend|colleague|coworker|roommate|neighbou?r|boss|teacher)s?\b",
    re.IGNORECASE,
)


_MOVES: Final = re.compile(r"搬到|搬至|搬去|\b(?:moved|relocated)\b", re.IGNORECASE)
_LIVES: Final = re.compile(r"住在|定居|现居|搬到|\b(?:lives?|living|resides?|based|moved|relocated)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """`remainder` is what the memory says beyond what is denied, or None.

    `is_sure` is False when only the value is the same.
    """

    remainder: str | None
    is_sure: bool


def find_contradiction(correction: Correction, key: str, value: str) -> Contradiction | None:
    """What a correction makes of a memory; None when the memory can stay as it is."""
    head, body, tail = _unframed(value)
    parts = sentences(body)
    verdicts = [_denies(correction, part, key) for part in parts]
    denied = {index for index, verdict in enumerate(verdicts) if verdict is not _Verdict.NO}
    if not denied:
        return None
    return Contradiction(_remainder(head, parts, denied, tail), _Verdict.SURE in verdicts)


def without_sentences_about(statement: str, value: str) -> str | None:
    """What a memory says beyond what a statement is about; None when nothing else, or when that can't be told apart."""
    head, body, tail = _unframed(value)
    parts = sentences(body)
    topic = set(terms(statement))
    about = {index for index, part in enumerate(parts) if 2 * len(topic & set(terms(part))) >= len(topic)}
    return _remainder(head, parts, about, tail) if about else None


def quoted(value: str) -> str:
    """What a memory says, without the frame of a quote."""
    return _unframed(value)[1]


def occurs(phrase: str, text: str) -> re.Match[str] | None:
    """Where a value stands in a text, as a whole word or number; case, width and blanks do not matter."""
    if not phrase.strip():
        return None
    return re.search(phrase_pattern(_plain(phrase)), _plain(text))


def terms(text: str) -> list[str]:
    """The content words of a text in order: Chinese ones segmented, others as stems."""
    plain = normalised(text).casefold()
    found: list[str] = []
    at = 0
    for run in _HAN_RUN.finditer(plain):
        found += tokens(plain[at : run.start()])
        found += [word for word in rjieba.cut(run.group()) if word not in CHINESE]
        at = run.end()
    found += tokens(plain[at:])
    return [word for word in found if word not in _FRAME_WORDS]


class _Verdict(Enum):
    NO = auto()
    VALUE = auto()
    SURE = auto()


def _denies(correction: Correction, sentence: str, key: str) -> _Verdict:
    """Whether a sentence says what the correction denies, or has at least the value that it denies."""
    if set(_OTHERS.findall(_plain(sentence))) != set(_OTHERS.findall(_plain(correction.statement))):
        return _Verdict.NO
    if correction.new and occurs(correction.new, sentence):
        return _Verdict.NO
    if correction.ends or not correction.old:
        denies = _tells if correction.ends else _has_another_number
        return _Verdict.SURE if denies(correction, sentence) else _Verdict.NO
    place = occurs(correction.old, sentence) or _number_occurs(correction.old, sentence)
    if place is None or _NEGATED.search(_plain(sentence)[: place.start()]):
        return _Verdict.NO
    topic = _topic(correction)
    is_about = _is_about(topic, sentence, key, correction.old, most_more=_MOST_MORE) if topic else False
    if is_about or (_MOVES.search(correction.statement) and _LIVES.search(sentence)):
        return _Verdict.SURE
    return _Verdict.NO if topic else _Verdict.VALUE


def _topic(correction: Correction) -> list[str]:
    values = {*terms(correction.new), *terms(correction.old)}
    said = [word for word in terms(correction.statement) if word not in values and not _NUMBER.fullmatch(word)]
    return [word for word in said if not _CHANGING.fullmatch(word)] or said


def _is_about(topic: Sequence[str], sentence: str, key: str, old: str, *, most_more: float) -> bool:
    """Whether a sentence names what a correction is about, nothing else in its place, and not much more."""
    plain, heading = _plain(sentence), _plain(key)
    said = [word for word in terms(sentence) if word not in set(terms(old))]

    def is_named(word: str) -> bool:
        return word in said or (bool(_HAN_RUN.search(word)) and (word in plain or word in heading))

    named = [word for word in topic if is_named(word)]
    if len(named) < _LEAST_SHARED * len(topic):
        return False
    # Where one word stands for another (硬件 for 软件) it is another matter.
    matcher = SequenceMatcher(None, list(topic), said, autojunk=False)
    for operation, first, last, _, _ in matcher.get_opcodes():
        if operation == "replace" and not all(is_named(word) for word in topic[first:last]):
            return False
    known = [*topic, "am", "pm", "点", "年", "月", "日"]
    more = [word for word in said if not word.isdigit() and not any(word in one or one in word for one in known)]
    return len(more) <= most_more * max(len(said), 1)


def _tells(correction: Correction, sentence: str) -> bool:
    """Whether a sentence says that what ended is so, and not much more: 用户每天喝咖啡 tells 喝咖啡."""
    plain = _plain(sentence)
    if _NEGATION.search(plain):
        return False
    wanted, said = terms(correction.old), terms(sentence)
    place = _apart(_plain(correction.old)).search(plain) if has_han(correction.old) else None
    if not wanted or (place is None and not _stand_together(wanted, said)):
        return False
    besides = said if place is None else terms(f"{plain[: place.start()]}，{plain[place.end() :]}")
    more = [word for word in besides if not any(word in one or one in word for one in wanted)]
    return len(more) <= _MOST_MORE_OF_ENDED * len(said)


def _apart(phrase: str) -> re.Pattern[str]:
    """A Chinese verb and its object, with how much of it between them: 喝一杯美式咖啡 for 喝咖啡."""
    return re.compile(rf"{re.escape(phrase[0])}[^，。；：！？“”]{{0,{_MOST_BETWEEN_ZH}}}?{re.escape(phrase[1:])}")


def _stand_together(wanted: Sequence[str], said: Sequence[str]) -> bool:
    """Whether words stand in this order with little between them: drink coffee in "drink two cups of coffee"."""
    for at in (place for place, word in enumerate(said) if word == wanted[0]):
        rest = iter(said[at : at + len(wanted) + _MOST_BETWEEN])
        if all(word in rest for word in wanted):
            return True
    return False


def _has_another_number(correction: Correction, sentence: str) -> bool:
    wanted = _NUMBER_WITH_UNIT.search(_plain(correction.new))
    if wanted is None or not _is_about(_topic(correction) or ["\0"], sentence, "", "", most_more=_MOST_MORE_UNSAID):
        return False
    found = _NUMBER_WITH_UNIT.findall(_plain(sentence))
    return len(found) == 1 and found[0][1] == wanted[2] and found[0][0] != wanted[1]


def _number_occurs(old: str, sentence: str) -> re.Match[str] | None:
    """A sum stays the same sum with another unit's name: 800元, ￥800."""
    number = _NUMBER.search(_plain(old))
    has_money = re.search(r"[元块￥¥$€£]|usd|eur|rmb|yuan|dollar", _plain(old))
    return occurs(number.group(), sentence) if number and has_money else None


def _unframed(value: str) -> tuple[str, str, str]:
    """The quote in a memory that is one, with what stands before and after it."""
    match = _FRAME.match(value)
    return ("", value, "") if match is None else (match["head"], match["body"], match["tail"])


def _remainder(head: str, parts: Sequence[str], denied: set[int], tail: str) -> str | None:
    kept = [part for index, part in enumerate(parts) if index not in denied]
    if not any(terms(part) for part in kept):
        return None
    joint = "" if any(_HAN_RUN.search(part) for part in kept) else " "
    shown = [("" if before in denied else part) for before, part in enumerate(parts)]
    pieces: list[str] = []
    for part in shown:
        if part:
            pieces.append(part)
        elif not pieces or pieces[-1] != "…":
            pieces.append("…")
    return f"{head}{joint.join(pieces)}{tail}"


def _plain(text: str) -> str:
    """In one width and case, without blanks between Chinese characters and numbers."""
    plain = normalised(text).casefold()
    return re.sub(r"(?<=[㐀-䶿一-鿿\d])\s+(?=[㐀-䶿一-鿿])|(?<=[㐀-䶿一-鿿])\s+(?=\d)", "", plain)
