"""Whose memory it is in a conversation of several: what another person said is told of that person by name."""

import re
from dataclasses import replace
from typing import Final

from memcubed.memories.model import MemoryKind
from memcubed.messages.model import Role
from memcubed.production.model import Draft, ExtractionRequest

_THE_USER: Final = re.compile(r"^(?:(?:the )?user\b|用户(?:自己|本人)?)", re.IGNORECASE)


def about_its_speaker(draft: Draft, request: ExtractionRequest) -> Draft | None:
    """The draft with the right subject: a fact about the speaker when that is not the owner.

    None when it is said of "the user" and comes from several others, so that nobody can tell whom it means.
    """
    said = [turn for turn in request.turns if turn.message_id in draft.source_ids and turn.role is Role.USER]
    if not said or not all(request.is_anothers(turn) for turn in said):
        return draft
    names = {" ".join(turn.speaker.split()) for turn in said if turn.speaker}
    value = draft.value
    if _THE_USER.match(value):
        if len(names) > 1:
            return None
        name = names.pop()
        value = _THE_USER.sub(lambda _: name, value, count=1)
    if not draft.kind.is_preference:
        return replace(draft, value=value)
    return replace(draft, kind=MemoryKind.FACT, value=value, reasoning="")
