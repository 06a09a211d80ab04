"""Tags of a text: its own keywords, and those of a given vocabulary that fit."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

import rjieba

from memcubed.language.cleaning import normalised
from memcubed.language.dates import without_times
from memcubed.language.detect import Language, detect, has_han
from memcubed.language.stopwords import CHINESE, ENGLISH
from memcubed.language.words import tokens

_SAMPLE: Final = 4_000
_MAX_TAG: Final = 24
# Times are only blanked out, so any day will do.
_ANY_DAY: Final = datetime(2024, 6, 12, tzinfo=UTC)

_NAMES: Final = frozenset({"nr", "ns", "nt", "nz", "nrt", "nrfg"})
_NOUNS: Final = frozenset({"n", "vn", "an", "nw", "ng", "l", "j"})
_DULL_CHINESE_TEXT: Final = """
东西 事情 问题 情况 时间 时候 方面 感觉 样子 意思 办法 地方 用户 助手 话题 有点 大家 东东 事儿 部分 结果 原因
内容 建议 推荐 选择 可选 打算 计划 换个 哈哈 早上 晚上 下午 上午 人家 大事 正事 小时 分钟 个人 全文 一次 一句
起来 差点 差点儿 翻译 润色
"""
_DULL_CHINESE: Final = frozenset(_DULL_CHINESE_TEXT.split())
_DULL_ENGLISH_TEXT: Final = """
thing things stuff way time times lot bit day days week weeks month months year years idea question help people
today moment kind sort part fact point end hand case place name one ones good great nice best morning evening
night number user assistant couple few same other next last first second little big new old whole own right left
tops points lol haha poem summary
monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays saturdays
sundays
"""
_DULL_ENGLISH: Final = frozenset(_DULL_ENGLISH_TEXT.split())
_SENTENCE_START: Final = frozenset('.!?:;\n"“(-—*')
_NAME: Final = re.compile(
    r"\b[A-Z][\w'’&-]*(?:\s+(?:of\s+|the\s+|(?:d[aeiou]s?|del|della|la|le|van|von|der)\s+){0,2}[A-Z][\w'’&-]*){0,3}"
)
_AFTER_DETERMINER: Final = re.compile(
    r"\b(?:an?|the|my|our|his|her|their|your|some|any|this|another|of|about|at|in)\s+"
    r"((?:[a-z][a-z'-]+\s+){0,2}[a-z][a-z'-]{2,})(?=\s+([a-z']+)|[^\w\s]|$)",
)
_OBJECT_START_TEXT: Final = """
a an the my our his her their me us him it them to
"""
_OBJECT_START: Final = frozenset(_OBJECT_START_TEXT.split())
_NOT_NOUN: Final = re.compile(r"(?:ly|ed|ful|ous|ive|able|ing)$")
# Function-like words that a segmenter takes for nouns or names: 别忘了, 太甜, 那班, 我活, 买辆, 翻译成.
_FUNCTION_WORD: Final = re.compile(
    r"^(?:[我你您他她它](?![国家妈爸弟妹哥姐爷奶姥])|那(?!不勒斯|曲|霸|英|姐)|这|没(?!药)|太(?![阳太极空子湖原平古监后行医])"
    r"|别(?![墅针克称名院字馆]))|^(?:受|吃|喝|用|看|忍|舍|免|等|对|说|做|管)[不得][了着到起住完]|^无所谓$"
    r"|[辆]$|[译换变当改看]成$|^[^着为]{1,2}[了着]$"
)
# One character before a shop's name belongs to it: 新荣记, 老王记.
_SHOP: Final = re.compile(r"[\u4e00-\u9fff](?:[记斋坊阁轩]|酒家|酒楼|饭店)$")
_ATTACHED: Final = re.compile(r"\[(?:image|file)\]")
_LOOK_BACK: Final = 8
_MIN_WORD: Final = 3
_LONG_TAG: Final = 4
_TAG_OVERLAP: Final = 0.66


def keywords(text: str, limit: int = 5) -> tuple[str, ...]:
    """Return up to `limit` tags, the weightiest first; Chinese ones for a Chinese text. Times are no tags."""
    plain = without_times(normalised(_ATTACHED.sub(" ", text[:_SAMPLE])), _ANY_DAY).strip()
    scored = _chinese(plain) if detect(plain) is Language.ZH else _english(plain)
    found: list[str] = []
    for tag in sorted(scored, key=lambda t: (-scored[t], plain.lower().find(t.lower()))):
        folded = tag.lower()
        if len(tag) <= _MAX_TAG and not any(folded in other.lower() or other.lower() in folded for other in found):
            found.append(tag)
        if len(found) >= limit:
            break
    return tuple(found)


def match_vocabulary(text: str, vocabulary: Iterable[str]) -> tuple[str, ...]:
    """Return the tags that the text speaks of, in the vocabulary's order.

    A tag fits when it stands in the text, when all its words do (stemmed), or, for a Chinese tag of four characters
    and more, when two thirds of its character pairs do.
    """
    plain = normalised(text)
    folded = plain.lower()
    words = frozenset(tokens(plain))
    return tuple(dict.fromkeys(tag for tag in vocabulary if _fits(normalised(tag).strip(), folded, words)))


def _fits(tag: str, folded: str, words: frozenset[str]) -> bool:
    if not tag:
        return False
    if has_han(tag):
        if tag.lower() in folded:
            return True
        pairs = {tag[i : i + 2] for i in range(len(tag) - 1)}
        return len(tag) >= _LONG_TAG and sum(pair in folded for pair in pairs) >= _TAG_OVERLAP * len(pairs)
    parts = tokens(tag)
    return bool(parts) and all(part in words for part in parts)


def _chinese(text: str) -> dict[str, float]:
    scores: defaultdict[str, float] = defaultdict(float)
    for word, flag in _with_whole_names(rjieba.tag(text)):
        if flag != "ns" and _FUNCTION_WORD.search(word):
            continue
        if word in CHINESE or word in _DULL_CHINESE or word.lower() in ENGLISH:
            continue
        if len(word) < 2:  # noqa: PLR2004 - one character is rarely a topic
            continue
        if flag == "eng" and word.isascii() and len(word) >= _MIN_WORD:
            scores[word] += 1.2
        elif has_han(word) and flag in _NAMES:
            scores[word] += 1.3
        elif has_han(word) and flag in _NOUNS:
            scores[word] += 1.0
    return {word: min(score, 3.0) + 0.05 * len(word) for word, score in scores.items()}


def _with_whole_names(tagged: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield words and flags, the name of a shop joined with the one character that the segmenter cut off."""
    head: tuple[str, str] | None = None
    for word, flag in tagged:
        if head and len(word) == 2 and _SHOP.search(word):  # noqa: PLR2004 - 荣记
            head = (head[0] + word, "nt")
            continue
        if head:
            yield head
            head = None
        if len(word) == 1 and has_han(word) and flag[0] in "anj" and word not in CHINESE:
            head = (word, flag)
        else:
            yield word, flag
    if head:
        yield head


def _english(text: str) -> dict[str, float]:
    scores: defaultdict[str, float] = defaultdict(float)
    for match in _NAME.finditer(text):
        name = re.sub(r"['’]s?$", "", match.group())
        first = name.split()[0]
        before = text[max(match.start() - _LOOK_BACK, 0) : match.start()].rstrip(" ")
        if not before or before[-1] in _SENTENCE_START:
            # A capital that opens a sentence says nothing; the words behind it may still be a name.
            name = name[len(first) :].strip() if first.lower() in ENGLISH or " " in name else ""
        while name and name.split()[0].lower() in ENGLISH:
            name = " ".join(name.split()[1:])
        if len(name) >= _MIN_WORD and name.lower() not in _DULL_ENGLISH and "'" not in name and "’" not in name:
            scores[name] += 1.5
    for match in _AFTER_DETERMINER.finditer(text):
        kept: list[str] = []
        for word in match.group(1).split():
            if word in ENGLISH or "'" in word:
                break
            kept.append(word)
        if len(kept) > 1 and kept[-1].endswith("s") and (match.group(2) or "") in _OBJECT_START:
            kept.pop()  # "the landlord takes a ...": a verb stands behind the noun
        noun = kept[-1] if kept else ""
        if len(noun) >= _MIN_WORD and noun not in _DULL_ENGLISH and not _NOT_NOUN.search(noun):
            scores[noun] += 1.0
    return dict(scores)
