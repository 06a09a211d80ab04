"""The turns of a conversation as the rules read them: cleaned, dated, each with what stands before it."""

from dataclasses import dataclass
from datetime import datetime

from memcubed.language.cleaning import printable
from memcubed.language.dates import resolve
from memcubed.language.detect import Language, detect
from memcubed.messages.model import Role, Turn
from memcubed.production.local.own_words import without_calls, without_taken_back
from memcubed.production.model import ExtractionRequest
from memcubed.production.own_part import own_part


@dataclass(frozen=True, slots=True)
class Place:
    """A turn in its place.

    `now` is when it was said, in the project's time zone; `new` if memories may come from it; `own` when the owner of
    the memories is known to speak, `anothers` when another person is. `dated` is the text with
    absolute dates; what is current is left alone in it, as every memory shows the day it was said.
    """

    index: int
    turn: Turn
    text: str
    dated: str
    language: Language
    now: datetime
    new: bool
    own: bool = False
    anothers: bool = False

    @property
    def speaker(self) -> str | None:
        """The name that the turn's words are told under; None for the user, the assistant and the owner."""
        return None if self.own else self.turn.speaker

    @property
    def chinese(self) -> bool:
        """Whether the turn is in Chinese."""
        return self.language is Language.ZH

    @property
    def date(self) -> str:
        """The day of the turn, such as 2025-06-10."""
        return self.now.date().isoformat()


@dataclass(frozen=True, slots=True)
class Conversation:
    """What users and assistants said, in order; `group` when several people talk rather than one with an assistant."""

    places: tuple[Place, ...]
    group: bool

    def before(self, place: Place, role: Role | None = None) -> Place | None:
        """Return the nearest earlier turn (of a role), or None."""
        for earlier in reversed(self.places[: place.index]):
            if role is None or earlier.turn.role is role:
                return earlier
        return None


def read(request: ExtractionRequest) -> Conversation:
    """Arrange the request's turns; system and tool messages are no talk and are left out, as are empty ones."""
    turns = [(turn, False) for turn in request.context] + [(turn, True) for turn in request.turns]
    talk = [(turn, text, new) for turn, new in turns if (text := _said(turn))]
    main = detect("\n".join(text[:500] for _, text, _ in talk))
    places = tuple(_place(i, turn, text, main, request, new=new) for i, (turn, text, new) in enumerate(talk))
    speakers = {place.turn.speaker for place in places if place.turn.role is Role.USER and place.turn.speaker}
    alone = all(place.turn.role is Role.USER for place in places)
    return Conversation(places, len(speakers) > 1 or (alone and bool(speakers)))


def _said(turn: Turn) -> str:
    """Return the words of a turn that are meant: no calls of tools, nothing that is taken back in the same breath."""
    text = printable(turn.content).strip()
    match turn.role:
        case Role.USER:
            return without_taken_back(own_part(text))
        case Role.ASSISTANT:
            for call in turn.tool_calls:
                text = text.replace(printable(call.text).strip(), "")
            return without_calls(text.strip())
        case _:
            return ""


def _place(index: int, turn: Turn, text: str, main: Language, request: ExtractionRequest, *, new: bool) -> Place:
    language = detect(text, main)
    now = turn.chat_time.astimezone(request.timezone)
    dated = resolve(text, now, language, current=False)
    own, anothers = request.is_own(turn), request.is_anothers(turn)
    return Place(index, turn, text, dated, language, now, new, own=own, anothers=anothers)
