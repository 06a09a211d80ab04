"""Facts: what each turn tells, quoted with its speaker, its day and what it answers.

A user's turn is always a fact of its own unless it is small talk or a question of general knowledge; an assistant's
reply is one when it says something that may be asked about later. What the assistant said is never called the
user's wish.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from memcubed.language.dates import find_moment
from memcubed.language.sentences import clip, list_mark, pieces, sentences
from memcubed.language.tags import keywords, match_vocabulary
from memcubed.language.words import tokens
from memcubed.memories.model import MemoryKind
from memcubed.messages.model import Role
from memcubed.production.local import wording
from memcubed.production.local.choices import Choice, choice, may_choose, options
from memcubed.production.local.exchanges import Conversation, Place
from memcubed.production.local.own_words import hands_over
from memcubed.production.local.smalltalk import is_general_question, is_short_answer, is_small_talk, is_substantial
from memcubed.production.model import Draft

_LIMIT: Final = 600
_REPLY: Final = (320, 900)
_MAX_PIECES: Final = 40
_TIMED: Final = 2_000
_QUESTION: Final = (24, 70)
_MAX_TAGS: Final = 5
_INDEX_CONTEXT: Final = 200
_BRIEF: Final = (14, 40)
_HINTED: Final = (20, 70)
_TOPIC: Final = (60, 140)
_TITLE: Final = (6, 15)

_CODE: Final = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_ACKNOWLEDGED: Final = re.compile(
    r"^(?:好的?|收到|明白了?|没问题|当然(?:可以)?|sure|of course|certainly|got it|okay|ok|absolutely"
    r"|great question)[，,。！!.：: ]+",
    re.IGNORECASE,
)
_LEANS_ZH: Final = re.compile(
    r"^(?:我?选|第|要|就|那就|还是)|[那这]个[。，！吧]|[那这][家种款套条样]|前者|后者|方案[一二三四五]"
    r"|最[^，。]{1,3}的[。，！那]"
)
_LEANS_EN: Final = re.compile(
    r"^(?:yes|yeah|yep|no|nope|nah|sure)\b|\b(?:that one|this one|those ones|(?:first|second|third|last|middle"
    r"|other) one|the (?:former|latter)"
    r"|neither|both|one of them)\b",
    re.IGNORECASE,
)
_CORRECTS: Final = re.compile(
    r"^(?:啊|哦|哎|呃|等等|等下)?[，, ]*(?:不对|错了|更正|纠正|应该是)|[说记弄搞打写看]错了"
    r"|^(?:(?:oh|oops|wait|no|sorry|actually|hold on)[,.!—: ]+)*"
    r"(?:correction|scratch that|my mistake|I meant|I misspoke)\b"
    r"|^(?:oops|wait|no|sorry|actually)\b[^?]*[,;—] ?not\b",
    re.IGNORECASE,
)
_OWN_ZH: Final = re.compile(r"[我咱]")
_OWN_EN: Final = re.compile(r"\b(?:I|my|we|our)\b")
_POINTS_ZH: Final = re.compile(r"[它这那]|第[一二三四五六]|前者|后者|[选要]")
_POINTS_EN: Final = re.compile(
    r"\b(?:it|its|that|this|those|these|them|they|one|ones|both|neither|first|second|third|last|there|then|same|so)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A choice, and the turn that listed the options."""

    choice: Choice
    offer: Place


def user_facts(place: Place, conversation: Conversation, vocabulary: tuple[str, ...]) -> list[Draft]:
    """Return the facts of a user's turn in a talk with an assistant; [] for small talk and general questions."""
    if is_small_talk(place.text) or is_general_question(place.text):
        return []
    work = hands_over(place.text)
    tail, used = ("", ()) if work else _background(place, conversation)
    drafts = []
    for i, part in enumerate(pieces(place.dated, _LIMIT)[:_MAX_PIECES]):
        value = wording.said(place, part, asked=work) + (tail if i == 0 else "")
        drafts.append(_draft(place, conversation, part + (tail if used and i == 0 else ""), value, used, vocabulary))
    return drafts


def reply_facts(place: Place, conversation: Conversation, vocabulary: tuple[str, ...]) -> list[Draft]:
    """Return the facts of an assistant's reply, a long one in pieces; [] when it says nothing of substance."""
    asked = conversation.before(place)
    question = asked if asked and asked.turn.role is Role.USER and not is_small_talk(asked.text) else None
    text = _ACKNOWLEDGED.sub("", _CODE.sub(" ", place.dated).strip())
    general = question is not None and is_general_question(question.text)
    if not is_substantial(text, chinese=place.chinese) or (general and is_short_answer(text, chinese=place.chinese)):
        return []
    short = _asked(question) if question else None
    lead = _lead(text)
    drafts = []
    for i, part in enumerate(pieces(text, _REPLY[0 if place.chinese else 1])[:_MAX_PIECES]):
        body = part if i == 0 or not lead else f"{lead} … {part}"
        value = wording.answered(place, short, body, asked_by=question)
        drafts.append(_draft(place, conversation, body, value, (), vocabulary))
    return drafts


def group_facts(place: Place, conversation: Conversation, vocabulary: tuple[str, ...]) -> list[Draft]:
    """Return the facts of a turn among several people; [] when it holds no more than signs of listening."""
    names = tuple(p.turn.speaker for p in conversation.places[-40:] if p.turn.speaker)
    names += tuple(name.split()[0] for name in names if name.split())
    if is_small_talk(place.text, names):
        return []
    earlier = conversation.before(place)
    asked = None
    if earlier and earlier.turn.speaker != place.turn.speaker and is_brief(place):
        questions = [s for s in sentences(earlier.text) if s.endswith(("?", "？"))]
        asked = clip(questions[-1], _QUESTION[0 if place.chinese else 1]) if questions else None
    parts = pieces(place.dated, _LIMIT)[:_MAX_PIECES]
    return [
        _draft(place, conversation, part, wording.said_in_group(place, part, asked if i == 0 else None), (), vocabulary)
        for i, part in enumerate(parts)
    ]


def taken_of(place: Place, conversation: Conversation) -> Taken | None:
    """Return what a user's turn takes of the options in the reply before it, or in the user's own turn before that.

    When both list as many options, the user's list names them and the reply comments on them: the names are taken.
    """
    if not may_choose(place.text, chinese=place.chinese):
        return None
    found: list[Taken] = []
    for role in (Role.ASSISTANT, Role.USER):
        offer = conversation.before(place, role)
        # Options that are two exchanges back are no longer what is answered.
        if offer and place.index - offer.index <= 2:  # noqa: PLR2004
            taken = choice(place.text, options(offer.text), chinese=place.chinese)
            if taken:
                found.append(Taken(taken, offer))
    if len(found) > 1 and len(found[0].choice.options) == len(found[1].choice.options):
        return found[1]
    return found[0] if found else None


def memory_time(place: Place) -> datetime | None:
    """Return the one time that a turn names, or None when it names none or several."""
    return None if len(place.text) > _TIMED else find_moment(place.text, place.now, place.language)


def tags_of(text: str, vocabulary: tuple[str, ...]) -> tuple[str, ...]:
    """Return the developer's tags that fit, then keywords."""
    fitting = match_vocabulary(text, vocabulary)
    return tuple(dict.fromkeys((*fitting, *keywords(text, _MAX_TAGS))))


def index_text(place: Place, words: str) -> str:
    """Return what stands for a memory in the index: its words, after the name of the speaker when there is one.

    No date: measured, a date in the embedded text costs recall.
    """
    if not place.speaker:
        return words
    return f"{wording.name(place)}：{words}" if place.chinese else f"{wording.name(place)}: {words}"


def context_text(place: Place, conversation: Conversation) -> str:
    """Return words that help to find a memory: the beginning of the turn before, unless small talk, and the month."""
    month = f"{place.now.year}年{place.now.month}月" if place.chinese else f"{place.now:%B %Y}"
    earlier = conversation.before(place)
    if not earlier or is_small_talk(earlier.text):
        return month
    return f"{' '.join(earlier.text[:_INDEX_CONTEXT].split())}\n{month}"


def _background(place: Place, conversation: Conversation) -> tuple[str, tuple[Place, ...]]:
    """Return what an elliptic turn needs to be understood, and the new turns whose words stand in it."""
    reply = conversation.before(place, Role.ASSISTANT)
    topic = conversation.before(place, Role.USER)
    taken = taken_of(place, conversation)
    if taken:
        return _choice_background(place, taken, topic)
    if topic and corrects_itself(place) and _goes_on(place, topic):
        slip = " ".join(topic.dated.split())
        shown = clip(slip, _TOPIC[0 if topic.chinese else 1])
        return wording.background(place, shown, None), (topic,) if topic.new and shown == slip else ()
    # A reply far back, or one that only agreed, explains nothing.
    if not reply or reply.index != place.index - 1 or is_small_talk(reply.text):
        return "", ()
    answers = "?" in reply.text or "？" in reply.text
    if not _leans(place, answers=answers):
        return "", ()
    words = _before_answer(reply)
    used = [reply] if words == " ".join(reply.dated.split()) else []
    subject = None
    told = topic is not None and (answers or "?" in topic.text or "？" in topic.text)
    if topic and told and topic.index == reply.index - 1 and not is_small_talk(topic.text):
        subject = clip(" ".join(topic.dated.split()), _TOPIC[0 if topic.chinese else 1])
        used.append(topic)
    return wording.background(place, subject, words), tuple(p for p in used if p.new)


def _before_answer(reply: Place) -> str:
    """Return what an answer needs of a reply: its last question and as much before it as fits, or its beginning."""
    said = sentences(reply.dated)
    last = max((i for i, s in enumerate(said) if s.endswith(("?", "？"))), default=None)
    if last is None:
        return wording.context(reply, reply.dated)
    # What follows the question is kept when all is short; the options stand before it.
    for first, end in [(0, len(said)), *((i, last + 1) for i in range(last + 1))]:
        words = " ".join(" ".join(said[first:end]).split()) if not reply.chinese else "".join(said[first:end])
        if wording.context(reply, words) == words:
            return words
    return wording.context(reply, said[last])


def _choice_background(place: Place, taken: Taken, topic: Place | None) -> tuple[str, tuple[Place, ...]]:
    offer, used, found = taken.offer, [taken.offer], taken.choice
    option = found.options[found.taken] if found.taken is not None else None
    named = option is not None and option.lower() in place.text.lower()
    head = wording.meant(place, option) if option and not named else ""
    limit = _TOPIC[0 if place.chinese else 1]
    flat = " ".join(offer.dated.split())
    reply: str | None = flat if len(flat) <= limit else None
    if reply is None and not head:
        # Which one is not plain from the words: all options are shown, each cut short.
        each = max(14, 2 * limit // len(found.options))
        reply = ("；" if place.chinese else "; ").join(clip(option, each) for option in found.options)
    subject = None
    if topic and topic is not offer and topic.index < offer.index and not is_small_talk(topic.text):
        subject = clip(" ".join(topic.dated.split()), limit)
        used.append(topic)
    by_user = offer.turn.role is Role.USER
    tail = wording.background(place, reply if by_user else subject, None if by_user else reply)
    return head + tail, tuple(p for p in used if p.new)


def _leans(place: Place, *, answers: bool) -> bool:
    """Whether a turn is hard to understand without the one before; `answers` when that one asked something."""
    own = bool((_OWN_ZH if place.chinese else _OWN_EN).search(place.text))
    if is_brief(place):
        pointing = (_POINTS_ZH if place.chinese else _POINTS_EN).search(place.text)
        return answers or not own or bool(pointing)
    if answers and not own and len(place.text) <= 2 * _BRIEF[0 if place.chinese else 1]:
        return True
    opening = next((s for s in sentences(place.text[:_TIMED]) if not is_small_talk(s)), "")
    short = len(opening) <= _HINTED[0 if place.chinese else 1]
    return short and bool((_LEANS_ZH if place.chinese else _LEANS_EN).search(opening))


def is_brief(place: Place) -> bool:
    """Whether a turn has only a few words."""
    return len(place.text) <= _BRIEF[0 if place.chinese else 1]


def corrects_itself(place: Place) -> bool:
    """Whether a turn has little more than a correction of what its speaker just said: 不对，是四岁."""
    return len(place.text) <= 2 * _BRIEF[0 if place.chinese else 1] and bool(_CORRECTS.search(place.text))


def _goes_on(place: Place, topic: Place) -> bool:
    """Whether a correction just after a turn does not say itself what it is about: 不对，是四岁."""
    about = set(tokens(place.text)).intersection(tokens(topic.text))
    return place.index - topic.index <= 2 and len(about) < 2 and not is_small_talk(topic.text)  # noqa: PLR2004


def _asked(place: Place) -> str:
    """Return what a user's turn asks for, in a few words."""
    said = [s for s in sentences(place.text[:_TIMED]) if not is_small_talk(s)]
    questions = [s for s in said if s.endswith(("?", "？"))]
    return clip((questions or said or [place.text])[-1 if questions else 0], _QUESTION[0 if place.chinese else 1])


def _lead(text: str) -> str:
    """Return the line that introduces a list, for the pieces after the first."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 2 and not list_mark(lines[0]) and list_mark(lines[1]):  # noqa: PLR2004 - a head and two items
        return clip(lines[0], 60)
    return ""


def _heading(text: str, place: Place) -> str:
    """Return the first sentence that says something."""
    said = sentences(text)
    telling = (s for s in said if not is_small_talk(s) and len(s) >= _TITLE[0 if place.chinese else 1])
    return next(telling, said[0] if said else text)


def _own_words(place: Place, words: str, used: tuple[Place, ...]) -> str:
    """Return what this speaker says of the words: an option that was offered is not the user's topic."""
    if all(p.turn.role is place.turn.role for p in used):
        return words
    return "\n".join(p.text for p in (*used, place) if p.turn.role is place.turn.role)


def _draft(
    place: Place,
    conversation: Conversation,
    words: str,
    value: str,
    used: tuple[Place, ...],
    vocabulary: tuple[str, ...],
) -> Draft:
    times = (memory_time(p) for p in (place, *reversed(used)) if p.turn.role is Role.USER or p is place)
    # A short answer is called by what it answers.
    asked = [p.text for p in used if p.turn.role is Role.USER]
    titled = asked[-1] if asked else words
    return Draft(
        kind=MemoryKind.FACT,
        key=wording.title(place, _heading(titled, place)),
        value=value,
        source_ids=tuple(p.turn.message_id for p in sorted({place, *used}, key=lambda p: p.index) if p.new),
        tags=tags_of(_own_words(place, words, used), vocabulary),
        memory_time=next((at for at in times if at), None),
        index_text=index_text(place, words),
        context_text=context_text(place, conversation),
    )
