"""The sentences in which the local extractor writes down what was said: quotes, each with its speaker and day."""

from typing import Final

from memcubed.language.sentences import clip
from memcubed.production.local.exchanges import Place

_CONTEXT: Final = (90, 240)
_KEY: Final = (24, 60)


def name(place: Place) -> str:
    """Return who speaks in a turn, as a sentence calls them."""
    if place.speaker:
        return " ".join(place.speaker.split())[:60]
    if place.turn.role == "assistant":
        return "助手" if place.chinese else "the assistant"
    return "用户" if place.chinese else "the user"


def said(place: Place, words: str, *, asked: bool = False) -> str:
    """Quote words of a turn with their day and speaker; `asked` when they ask for a piece of work."""
    if place.chinese:
        return f"{name(place)}在{place.date}{'要求' if asked else '说'}：“{words}”"
    return f'On {place.date} {name(place)} {"asked" if asked else "said"}: "{words}"'


def said_in_group(place: Place, words: str, asked: str | None) -> str:
    """Quote words of a turn among several people, with the question they answer."""
    if place.chinese:
        return f"{name(place)}（{place.date}）" + (f"被问“{asked}”：" if asked else "：") + words
    who = name(place) if place.speaker else f"The{name(place)[3:]}"
    return f"{who} ({place.date}" + (f', asked "{asked}")' if asked else ")") + f": {words}"


def answered(place: Place, question: str | None, words: str, *, asked_by: Place | None = None) -> str:
    """Quote an assistant's reply with what it was asked, and by whom when that was another person."""
    if place.chinese:
        return (
            f"{place.date} "
            + (f"{_asker(asked_by) or '用户'}说“{question}”，{name(place)}答：" if question else f"{name(place)}说：")
            + words
        )
    head = (
        f'On {place.date} {name(place)} answered {_possessive(asked_by)}"{question}": '
        if question
        else f"On {place.date} {name(place)} said: "
    )
    return head + words


def background(place: Place, topic: str | None, reply: str | None) -> str:
    """Quote what stood before an elliptic turn, in brackets."""
    if place.chinese:
        parts = [f"{_asker(place) or '用户'}说“{topic}”"] * bool(topic) + [f"助手说“{reply}”"] * bool(reply)
        return f"（此前{'，'.join(parts)}）" if parts else ""
    parts = [f'{_asker(place) or "the user"}: "{topic}"'] * bool(topic) + [f'the assistant: "{reply}"'] * bool(reply)
    return f" (before that, {'; '.join(parts)})" if parts else ""


def meant(place: Place, option: str) -> str:
    """Say which of the listed options a turn takes."""
    return f"（指“{option}”）" if place.chinese else f' (meaning "{option}")'


def context(place: Place, text: str) -> str:
    """Cut an earlier turn to what helps to understand this one."""
    return clip(" ".join(text.split()), _CONTEXT[0 if place.chinese else 1])


def title(place: Place, text: str) -> str:
    """Return a short key for a memory."""
    return clip(" ".join(text.split()), _KEY[0 if place.chinese else 1])


def _asker(place: Place | None) -> str | None:
    return name(place) if place is not None and place.anothers else None


def _possessive(place: Place | None) -> str:
    return f"{name(place)}'s " if place is not None and place.anothers else ""
