"""The people and places that a sentence names: by parts of speech in Chinese, by capitals in English."""

import re
from collections.abc import Sequence
from typing import Final

import rjieba

from memcubed.language.stopwords import CHINESE, ENGLISH

_MOST: Final = 8
_PLACE_TAGS: Final = frozenset({"ns", "nt", "nz"})
_PERSON_TAGS: Final = frozenset({"nr", "nrt", "nrfg"})
_FIRST_ZH: Final = re.compile(r"[我咱俺]")
_FIRST_EN: Final = re.compile(r"\b(?:I|me|my|we|us|our)\b")
_KIN_ZH: Final = re.compile(
    r"妈妈|爸爸|母亲|父亲|爸妈|父母|姐姐|妹妹|哥哥|弟弟|奶奶|爷爷|外婆|外公|老公|老婆|丈夫|妻子|男朋友|女朋友|儿子|女儿|孩子"
    r"|朋友|闺蜜|同事|同学|室友|邻居|老板|领导|老师|客户|医生"
)
_KIN_EN: Final = re.compile(
    r"\b(?:my|our)\s+(?:\w+\s+)?(mother|mom|mum|father|dad|parents|sister|brother|grandmother|grandma|grandfather|grandpa"
    r"|husband|wife|partner|boyfriend|girlfriend|son|daughter|kids|children|uncle|aunt|cousin|friends?|colleagues?"
    r"|roommate|neighbou?r|boss|manager|teacher|doctor|team|family)\b",
    re.IGNORECASE,
)
# 在…吃饭: what stands between is a place, also when the segmenter takes it for a common noun.
_AT_ZH: Final = re.compile(
    r"(?:在|去|到|回|来)([\u4e00-\u9fff]{1,8}?(?:店|馆|院|园|场|站|楼|厅|城|岛|湖|山|海边|学校|公司|机场|酒店|广场|中心|寺|街|路))"
)
_NAME_EN: Final = r"[A-Z][\w'’-]*(?:\s+(?:of\s+|the\s+|de\s+|la\s+)?[A-Z][\w'’-]*){0,3}"
_PLACE_EN: Final = re.compile(
    rf"\b(?:in|at|near|around|from|through|into)\s+(?:the\s+)?({_NAME_EN})"
    rf"|\b(?:go|goes|going|went|gone|fly|flies|flying|flew|drive|driving|drove|move[sd]?|moving|travel(?:s|led|ling|ed|ing)?"
    rf"|trip|back|return(?:s|ed|ing)?|train|flight|came|come|coming|get|got|walked|sail(?:ed|ing)?)\s+(?:back\s+)?to\s+"
    rf"(?:the\s+)?({_NAME_EN})"
    rf"|\b(?:visit(?:s|ed|ing)?|reach(?:ed|ing)?|leav(?:e|ing)|left)\s+(?:the\s+)?({_NAME_EN})"
)
_PERSON_EN: Final = re.compile(
    rf"(?<![.!?]\s)(?<!^)\b({_NAME_EN})|^({_NAME_EN})(?=\s+(?:and|is|was|will|has|had|went|came|\w+ed|\w+s)\b)"
)
_NO_NAMES: Final = """
january february march april may june july august september october november december
monday tuesday wednesday thursday friday saturday sunday christmas easter english chinese i
"""
_NO_NAME: Final = frozenset(_NO_NAMES.split())


def find_places(sentence: str, *, chinese: bool) -> tuple[str, ...]:
    """The places that a sentence names, in order."""
    if chinese:
        tagged = [word for word, flag in rjieba.tag(sentence) if flag in _PLACE_TAGS and _is_name_zh(word)]
        found = tagged + [match.group(1) for match in _AT_ZH.finditer(sentence)]
        # 广州塔 rather than 广州 and 广州塔
        found = [one for one in dict.fromkeys(found) if not any(one != other and one in other for other in found)]
        return tuple(sorted(found, key=sentence.find))[:_MOST]
    names = [_without_times(next(filter(None, match.groups()))) for match in _PLACE_EN.finditer(sentence)]
    return tuple(dict.fromkeys(name for name in names if name))[:_MOST]


def find_people(sentence: str, places: Sequence[str], *, speaker: str, chinese: bool) -> tuple[str, ...]:
    """Those who took part: the speaker where the sentence says I or we, and the people that it names."""
    first = (_FIRST_ZH if chinese else _FIRST_EN).search(sentence)
    found = [speaker] if first else []
    if chinese:
        found += [word for word, flag in rjieba.tag(sentence) if flag in _PERSON_TAGS and _is_name_zh(word)]
        found += [match.group() for match in _KIN_ZH.finditer(sentence)]
    else:
        found += [match.group(1).lower() for match in _KIN_EN.finditer(sentence)]
        names = (_without_times(match.group(1) or match.group(2)) for match in _PERSON_EN.finditer(sentence))
        found += [name for name in names if name and not any(name in place or place in name for place in places)]
    people = [one for one in dict.fromkeys(found) if not any(one in place for place in places)]
    return tuple(people)[:_MOST] or (speaker,)


def _is_name_zh(word: str) -> bool:
    return len(word) > 1 and word not in CHINESE


def _without_times(name: str) -> str:
    """The name without months, days and words that only open a sentence."""
    words = name.split()
    while words and (words[0].lower() in _NO_NAME or words[0].lower() in ENGLISH):
        words.pop(0)
    while words and (words[-1].lower() in _NO_NAME or words[-1].lower() in ENGLISH):
        words.pop()
    return re.sub(r"['’]s?$", "", " ".join(words))
