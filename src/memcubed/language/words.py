"""The words of a text, as the word index stores them and as a query asks for them.

Chinese is segmented (rjieba) and also gives its character bigrams, because a segmenter splits the same phrase in
different ways in different sentences; English is stemmed (Snowball). Tokens hold only word characters and
`. - _ @ + #`, so they are lexemes of a tsvector as they stand.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Protocol

import rjieba
import snowballstemmer  # type: ignore[import-untyped]  # it ships no types

from memcubed.language.cleaning import normalised
from memcubed.language.stopwords import CHINESE, ENGLISH

VERSION: Final = "words-1"
"""Changes whenever the same text can give other tokens; an index made by another version is rebuilt."""

MAX_TOKEN: Final = 64

_HAN_RUN: Final = r"[㐀-䶿一-鿿豈-﫿\U00020000-\U0003ffff]+"
_SCAN: Final = re.compile(
    rf"(?P<han>{_HAN_RUN})"
    r"|(?P<mail>[a-zA-Z0-9_.+\-]{1,64}@[a-zA-Z0-9\-]{1,63}(?:\.[a-zA-Z0-9\-]{1,63})+)"
    r"|(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![A-Za-z0-9,]))"
    r"|(?P<word>[^\W㐀-䶿一-鿿豈-﫿]+(?:['’.\-_][^\W㐀-䶿一-鿿豈-﫿]+)*(?:\+\+|\#)?)"
)
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")
_JOINTS: Final = re.compile(r"[.\-_@+#]+")
_FOREIGN: Final = re.compile(r"[^\w.\-@+#]+")
_CONTRACTION: Final = re.compile(r"(?:n't|'(?:s|m|re|ve|ll|d|t|em|all))$")
_ORDINAL: Final = re.compile(r"^(\d+)(?:st|nd|rd|th)$")


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str: ...  # noqa: N802 - the library's name


def tokens(text: str) -> list[str]:
    """Return the tokens of a text in order, repeats kept; [] when it has none.

    Any string is taken: text beyond `cleaning.MAX_TEXT` characters is left out and a token is at most `MAX_TOKEN` long.
    """
    found: list[str] = []
    for match in _SCAN.finditer(normalised(text)):
        if match.lastgroup == "han":
            found.extend(_chinese(match.group()))
        elif match.lastgroup == "number":
            found.append(match.group().replace(",", ""))
        else:
            found.extend(_latin(match.group()))
    return [safe for token in found if (safe := _FOREIGN.sub("", token)[:MAX_TOKEN].strip(".-_@"))]


def query_tokens(text: str) -> list[str]:
    """Return the distinct tokens of a query in order of appearance."""
    return list(dict.fromkeys(tokens(text)))


def _chinese(run: str) -> Iterator[str]:
    words = rjieba.cut(run)
    yield from (word for word in words if word not in CHINESE)
    whole = set(words)
    dull = [word in CHINESE for word in words for _ in word]
    for i in range(len(run) - 1):
        pair = run[i : i + 2]
        if pair not in whole and not dull[i] and not dull[i + 1]:
            yield pair


def _latin(raw: str) -> Iterator[str]:
    raw = raw.replace("’", "'")
    whole = _ORDINAL.sub(r"\1", _bare(raw.lower()))
    if whole.isdigit():
        yield whole
        return
    parts = [part for piece in _JOINTS.split(raw) for part in _CAMEL.split(piece) if part]
    if whole in ENGLISH or (len(parts) <= 1 and not whole):
        return
    if len(parts) == 1 and not _JOINTS.search(whole):
        yield _stem(whole)
        return
    yield whole
    for part in parts:
        word = _bare(part.lower())
        if len(word) > 1 and word not in ENGLISH and word != whole:
            yield _stem(word)


def _bare(word: str) -> str:
    """Strip possessives and contractions."""
    return _CONTRACTION.sub("", word).strip("'").split("'", 1)[0] if "'" in word else word


def _stem(word: str) -> str:
    if not (word.isascii() and word.isalpha()):
        return word
    return _stem_of(word) if len(word) <= MAX_TOKEN else _find_stem(word)


def _find_stem(word: str) -> str:
    # A stemmer keeps the word it works on, so each call has its own.
    stemmer: _Stemmer = snowballstemmer.stemmer("english")
    return stemmer.stemWord(word)


_stem_of = lru_cache(maxsize=20_000)(_find_stem)
