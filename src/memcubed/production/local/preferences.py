"""Preferences: what users say of themselves, and what their choices among options hint at."""

import re
from collections.abc import Iterator
from typing import Final

from memcubed.language.dates import resolve
from memcubed.language.sentences import clip, sentences
from memcubed.memories.model import MemoryKind
from memcubed.messages.model import Role
from memcubed.production.local import preference_en, preference_zh, wording
from memcubed.production.local.exchanges import Conversation, Place
from memcubed.production.local.facts import Taken, context_text, index_text, tags_of
from memcubed.production.local.own_words import own_sentences
from memcubed.production.local.preference_model import Stated
from memcubed.production.model import Draft

_STATED_CONFIDENCE: Final = 0.9
_HINTED_CONFIDENCE: Final = 0.5
_MAX_STATED: Final = 8
_MAX_SENTENCES: Final = 200
_LONGEST: Final = 400
_QUOTE: Final = (160, 400)
_OPTION: Final = (30, 80)


def stated_preferences(place: Place, conversation: Conversation, vocabulary: tuple[str, ...]) -> list[Draft]:
    """Return the preferences that a turn states of its speaker; instructions too where there is an assistant.

    None where the speaker is another person than the owner of the memories: what was said is a fact about them.
    """
    if place.turn.role is not Role.USER or place.anothers:
        return []
    rules = preference_zh if place.chinese else preference_en
    said = [sentence[:_LONGEST] for sentence in own_sentences(sentences(place.text)[:_MAX_SENTENCES])]
    others = {p.turn.speaker for p in conversation.places if p.turn.speaker} - {place.turn.speaker}
    said = ["" if _about_another(sentence, others) else sentence for sentence in said]
    found = list(_joined(rules.stated(said, wording.name(place), instructions=not conversation.group)))
    return [_stated(place, conversation, said, stated, vocabulary) for stated in found[:_MAX_STATED]]


def implied_preference(
    place: Place, conversation: Conversation, taken: Taken, vocabulary: tuple[str, ...]
) -> Draft | None:
    """Return what a choice hints at, with the options and the admission that no reason was given."""
    found = taken.choice
    if found.order or place.turn.role is not Role.USER or place.anothers:
        return None
    short = [clip(option, _OPTION[0 if place.chinese else 1]) for option in found.options]
    who, quote = wording.name(place), clip(place.text, _QUOTE[0 if place.chinese else 1])
    by_user = taken.offer.turn.role is Role.USER
    others = [option for at, option in enumerate(short) if at != found.taken]
    brief = sum(map(len, others)) <= _OPTION[0 if place.chinese else 1]
    if place.chinese:
        listed = "、".join(f"“{option}”" for option in short)
        reasoning = (
            f"{place.date}，{'用户自己' if by_user else '助手'}列出{listed}，{who}说“{quote}”。"
            f"{who}没有明说这是偏好，只是从这一次选择推断。"
        )
        if found.taken is not None:
            against = "、".join(f"“{option}”" for option in others) if brief else "其他选项"
            value, key = f"{who}可能更偏好“{short[found.taken]}”，而不是{against}", f"可能偏好{short[found.taken]}"
        else:
            value, key = f"{who}可能倾向于选最{found.standard}的", f"可能倾向最{found.standard}"
    else:
        listed = ", ".join(f'"{option}"' for option in short)
        subject = who[0].upper() + who[1:]
        reasoning = (
            f'On {place.date} {"the user" if by_user else "the assistant"} listed {listed}; {who} said "{quote}". '
            f"{subject} did not call it a preference: it is inferred from this one choice."
        )
        if found.taken is not None:
            against = " or ".join(f'"{option}"' for option in others) if brief else "the other options"
            value, key = (
                f'{subject} may prefer "{short[found.taken]}" over {against}',
                f"may prefer {short[found.taken]}",
            )
        else:
            value, key = f"{subject} may tend to choose the {found.standard}", f"may prefer the {found.standard}"
    sources = sorted({place, taken.offer}, key=lambda p: p.index)
    topic = conversation.before(taken.offer, Role.USER)
    about = "\n".join((place.text, taken.offer.text, topic.text if topic else ""))
    return Draft(
        kind=MemoryKind.IMPLICIT_PREFERENCE,
        key=wording.title(place, key),
        value=value,
        source_ids=tuple(p.turn.message_id for p in sources if p.new),
        tags=tags_of(about, vocabulary),
        reasoning=reasoning,
        confidence=_HINTED_CONFIDENCE,
        index_text=index_text(place, f"{value}\n{wording.context(place, topic.text)}" if topic else value),
        context_text=wording.context(place, about),
    )


def _about_another(sentence: str, others: set[str]) -> bool:
    """Whether a sentence opens with the name of another speaker as its subject, and does not come to its own."""
    return any(
        sentence.startswith(name)
        and re.match(r"[^\W\d_]|\s[^\W\d_]|['’]s", sentence[len(name) :]) is not None
        and not re.search(r"我|\bI\b|\b[Mm]y\b", sentence)
        for name in others
    )


def _joined(found: Iterator[Stated]) -> Iterator[Stated]:
    """Yield one preference a sentence: the first."""
    seen: set[int] = set()
    for stated in found:
        if stated.sentence not in seen:
            seen.add(stated.sentence)
            yield stated


def _stated(
    place: Place, conversation: Conversation, said: list[str], stated: Stated, vocabulary: tuple[str, ...]
) -> Draft:
    limit = _QUOTE[0 if place.chinese else 1]
    sentence = said[stated.sentence]
    if stated.needs_context and stated.sentence:
        glue = "" if place.chinese else " "
        sentence = clip(said[stated.sentence - 1], limit // 2) + glue + sentence
    # The reasoning holds the words to the letter, the value their dates.
    quote = clip(sentence, limit)
    own = clip(resolve(stated.part or sentence, place.now, current=False), limit)
    who = wording.name(place)
    if stated.rewritten:
        value = clip(resolve(stated.rewritten, place.now, current=False), limit)
    elif place.chinese:
        value = f"{who}{'要求' if stated.instruction else '自述'}：“{own}”"
    else:
        subject = who[0].upper() + who[1:]
        value = f'{subject} {"asks" if stated.instruction else "states"}: "{own}"'
    reasoning = f"{who}在{place.date}说：“{quote}”" if place.chinese else f'On {place.date} {who} said: "{quote}"'
    return Draft(
        kind=MemoryKind.EXPLICIT_PREFERENCE,
        key=wording.title(place, stated.part or said[stated.sentence]),
        value=value,
        source_ids=(place.turn.message_id,),
        tags=tags_of(own, vocabulary),
        reasoning=reasoning,
        confidence=_STATED_CONFIDENCE,
        index_text=index_text(place, clip(place.text, limit)),
        context_text=context_text(place, conversation),
    )
