"""Echoes: memories that were recalled before, and come back in the next messages of a conversation.

Applications paste what a search found into a prompt, and post that prompt; assistants say it again. Learnt anew each
time, with the words around it, it would fill a cube with itself. So what is pasted is cut out of what users, systems
and tools say before an extractor reads it, and what an assistant only says again is not kept. Two things are not
echoes: a statement in the user's own words, however near to a memory, and whatever stands beside a pasted memory.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, get_args
from uuid import UUID

from memcubed.language.cleaning import normalised
from memcubed.language.sentences import sentences
from memcubed.memories.schemas import AnyDetail, MemoryLists
from memcubed.messages.model import Role, Turn
from memcubed.production.llm.wording import Wording, negations, numbers, wording
from memcubed.production.model import Draft

REASON: Final = "What was said repeats memories that were recalled before."

_TOKEN: Final = re.compile(r"[㐀-䶿一-鿿豈-﫿]|[^\W_㐀-䶿一-鿿豈-﫿]+")
_SHINGLE: Final = 3
_MOST_PLACES: Final = 40

# A Chinese character counts 1, another word 2.
_WHOLE_WEIGHT: Final = 5
_WHOLE_SHARE: Final = 0.95
_BEGINNING_WEIGHT: Final = 16
_PASSAGE_WEIGHT: Final = 60

_SAID_AGAIN: Final = 0.75
_LEAST_UNITS: Final = 2

_FRAME: Final = re.compile(
    r"[您你]|根据|记忆|记得|之前|以前|提到|说过|告诉|相关|以下|如下|已知|背景|资料|信息|助手|依据|内容|相关度|偏好|事实"
    r"|\b(?:based|according|remember(?:ed|s)?|memor(?:y|ies)|recall(?:ed|s)?|know[ns]?|mention(?:ed|s)?|told|tell|note[ds]?"
    r"|say|earlier|previously|before|relevan(?:t|ce)|context|background|fact[s]?|preference[s]?|assistant"
    r"|score|confidence|relativity|id|type|key|value|time|date|tags?|reasoning|yes|yeah|still|indeed)\b",
    re.IGNORECASE,
)
_INTRODUCES: Final = re.compile(r"[:：]\s*\**\s*$|^\s*#{1,6}\s|^\s*(?:<[\w:-][^<>]*>|[-=*`~_]{3,}\w*)\s*$")
# What is left after a paste is often marked as what the user asks: "用户的问题：…", "Question: …".
_LABEL: Final = re.compile(
    r"(?:#{1,6}\s*|\**)?(?:(?:当前|现在)?(?:用户|我)?的?(?:问题|提问|输入|消息|请求)"
    r"|(?:(?:the )?user(?:'s)? |current )?(?:question|query|message|input|request))\**\s*(?:[:：]\**|\n)\s*",
    re.IGNORECASE,
)
_CONCLUDES: Final = re.compile(r"\s*(?:</[\w:-]+>|[-=*`~_]{3,})\s*")
_ID: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_LEFT_OVER: Final = ' \t-–—*•"“”:：;；,，.。|'
_RESULT_KEYS: Final = re.compile(r'"(?:memory_value|memory_detail_list|preference|preference_detail_list)"')
_ANSWER_FIELDS: Final = frozenset({"code", "message", "data", "trace"}).union(
    MemoryLists.model_fields, *(detail.model_fields for detail in get_args(AnyDetail))
)
_OPENING: Final = re.compile(r"[\[{]")
_MOST_BLOCKS: Final = 20


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: int
    end: int

    @property
    def weight(self) -> int:
        return 1 if _is_han(self.text) else 2


class RecalledTexts:
    """The texts of memories that were recalled, ready to be found in others. Making one takes milliseconds."""

    def __init__(self, texts: Sequence[str]) -> None:
        distinct = dict.fromkeys(text for text in texts if text)
        self._texts = [tuple(token.text for token in _tokens(text)) for text in distinct]
        self._weights = [sum(1 if _is_han(text) else 2 for text in texts) for texts in self._texts]
        self._wordings = [wording(_FRAME.sub(" ", text), framed=True) for text in distinct]
        self._numbers = [numbers(text) for text in distinct]
        self._places: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
        for number, text in enumerate(self._texts):
            for start in range(len(text) - _SHINGLE + 1):
                self._places[text[start : start + _SHINGLE]].append((number, start))

    def __bool__(self) -> bool:
        return bool(self._texts)

    def pastes(self, text: str) -> list[tuple[int, int, int]]:
        """Where recalled texts stand in `text`: from, to, and the number of the recalled one."""
        tokens = _tokens(text)
        words = tuple(token.text for token in tokens)
        found: list[tuple[int, int, int]] = []
        here = 0
        while here <= len(words) - _SHINGLE:
            match = self._longest(words, tokens, here)
            if match is None:
                here += 1
                continue
            length, number = match
            found.append((tokens[here].start, tokens[here + length - 1].end, number))
            here += length
        return found

    def says_again(self, sentence: str) -> bool:
        """Whether a sentence hardly has a word, and no number, that one of the texts has not."""
        said = wording(_FRAME.sub(" ", sentence), framed=True)
        figures = numbers(sentence)
        return any(
            said.share_in(known) >= _SAID_AGAIN
            and figures <= known_figures
            and (len(said.units) >= _LEAST_UNITS or said == known)
            for known, known_figures in zip(self._wordings, self._numbers, strict=True)
        )

    def wording_of(self, numbers_: Sequence[int]) -> Wording:
        """What some of the texts say."""
        return Wording(frozenset().union(*(self._wordings[number].units for number in numbers_)))

    def _longest(self, words: tuple[str, ...], tokens: Sequence[_Token], here: int) -> tuple[int, int] | None:
        best: tuple[int, int] | None = None
        for number, start in self._places.get(words[here : here + _SHINGLE], ())[:_MOST_PLACES]:
            text = self._texts[number]
            length = _SHINGLE
            most = min(len(text) - start, len(words) - here)
            while length < most and text[start + length] == words[here + length]:
                length += 1
            if (best is None or length > best[0]) and self._is_paste(number, start, tokens[here : here + length]):
                best = length, number
        return best

    def _is_paste(self, number: int, start: int, run: Sequence[_Token]) -> bool:
        """Whether a run of a text's words is the text, or its beginning, or a passage too long to be chance."""
        weight = sum(token.weight for token in run)
        whole = self._weights[number]
        return (
            (weight >= _WHOLE_WEIGHT and weight >= _WHOLE_SHARE * whole)
            or (start == 0 and weight >= min(_BEGINNING_WEIGHT, whole))
            or weight >= _PASSAGE_WEIGHT
        )


def without_pastes(turns: Sequence[Turn], recalled: RecalledTexts) -> tuple[Turn, ...]:
    """The turns without what was pasted into them; those of the assistant as they are, since answers refer to them."""
    return tuple(
        turn if turn.role is Role.ASSISTANT else replace(turn, content=without_paste(turn.content, recalled))
        for turn in turns
    )


def without_paste(text: str, recalled: RecalledTexts) -> str:
    """The text without recalled memories and what only frames them; itself when it has none."""
    if not recalled:
        return text
    blocks = list(_result_blocks(text, recalled))
    for start, end in reversed(blocks):
        text = text[:start] + text[end:]
    pastes = recalled.pastes(text)
    if not pastes and not blocks:
        return text
    lines: list[str] = []
    left_out = False
    begin = 0
    for line in text.split("\n"):
        end = begin + len(line)
        inside = [(max(a, begin) - begin, min(b, end) - begin, n) for a, b, n in pastes if a < end and b > begin]
        kept = _rest(line, inside, recalled) if inside else line
        if inside and kept is None:
            _drop_introduction(lines)
            left_out = True
        elif not (left_out and _CONCLUDES.fullmatch(line)):
            lines.append(line if kept is None else kept)
            left_out = left_out and not line.strip()
        begin = end + 1
    left = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    label = _LABEL.match(left)
    return left if label is None else left[label.end() :]


def keep_new(drafts: Sequence[Draft], turns: Sequence[Turn], recalled: RecalledTexts) -> tuple[Draft, ...]:
    """The drafts without those made of nothing but an assistant's words that say recalled memories again."""
    if not recalled:
        return tuple(drafts)
    roles: Mapping[UUID, Role] = {turn.message_id: turn.role for turn in turns}
    return tuple(draft for draft in drafts if not _only_says_again(draft, roles, recalled))


def _only_says_again(draft: Draft, roles: Mapping[UUID, Role], recalled: RecalledTexts) -> bool:
    if any(roles.get(source) is not Role.ASSISTANT for source in draft.source_ids):
        return False
    text = draft.index_text or draft.value
    if recalled.pastes(text):
        text = without_paste(text, recalled)
    telling = [one for one in sentences(text) if wording(_FRAME.sub(" ", one), framed=True).units]
    return all(recalled.says_again(sentence) for sentence in telling)


def _rest(line: str, pastes: Sequence[tuple[int, int, int]], recalled: RecalledTexts) -> str | None:
    """What a line says beside what was pasted into it; None when that is nothing new."""
    kept: list[str] = []
    begin = 0
    for start, end, _ in pastes:
        kept.append(line[begin:start])
        begin = end
    rest = " ".join((*kept, line[begin:]))
    known = recalled.wording_of([number for *_, number in pastes])
    said = wording(_FRAME.sub(" ", _ID.sub(" ", rest)), framed=True).without(known)
    if all(unit.replace(".", "").isdigit() for unit in said.units) and not negations(rest):
        return None
    return re.sub(r"[\s\"“”'「」『』]{2,}", " ", rest).lstrip(_LEFT_OVER).rstrip()


def _drop_introduction(lines: list[str]) -> None:
    """Take back the line that introduced what is left out, and the tag or rule before it."""
    kept = len(lines)
    while kept and not lines[kept - 1].strip():
        kept -= 1
    if kept and _INTRODUCES.search(lines[kept - 1]):
        del lines[kept - 1 :]


def _result_blocks(text: str, recalled: RecalledTexts) -> Iterator[tuple[int, int]]:
    """Where the JSON of a search's answer stands that holds something recalled."""
    if not _RESULT_KEYS.search(text):
        return
    decoder = json.JSONDecoder()
    position = 0
    for _ in range(_MOST_BLOCKS):
        opening = _OPENING.search(text, position)
        if opening is None:
            return
        position = opening.end()
        try:
            value, end = decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            continue
        if _is_answer(value):
            if recalled.pastes(json.dumps(value, ensure_ascii=False)):
                yield opening.start(), end
            position = end


def _is_answer(value: object) -> bool:
    """Whether JSON is an answer of this service, or memories out of one, and nothing else."""
    if isinstance(value, list):
        return bool(value) and all(map(_is_answer, value))
    return isinstance(value, dict) and bool(value) and value.keys() <= _ANSWER_FIELDS


def _tokens(text: str) -> list[_Token]:
    return [_Token(normalised(match.group()).casefold(), match.start(), match.end()) for match in _TOKEN.finditer(text)]


def _is_han(text: str) -> bool:
    return len(text) == 1 and _TOKEN.fullmatch(text) is not None and not text.isascii() and "㐀" <= text <= "﫿"
