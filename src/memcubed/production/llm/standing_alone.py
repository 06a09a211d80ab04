"""Making a memory stand alone where the model left something that only its conversation explains."""

import re
from datetime import datetime

from memcubed.language.dates import resolve
from memcubed.language.detect import Language

_QUOTED = re.compile(r"(“[^”]*”|「[^」]*」|\"[^\"]*\")")
# 我国 and 自我 are no pronouns of the speaker
_FIRST_PERSON = re.compile(r"(?<!自)我(?:们)?(?!国)")


def stand_alone(value: str, said_at: datetime, language: Language) -> str:
    """Put the date behind each relative date that is left (下周五（2026-06-19）), and 用户 for 我; quotations stay.

    `said_at` is the local time of the turn that the memory comes from. Memories are written in the third person; in
    English that takes more than another word, so it is left to the model.
    """
    parts = [
        part if quoted % 2 else resolve(part, said_at) if part.strip() else part
        for quoted, part in enumerate(_QUOTED.split(value))
    ]
    if language is Language.ZH:
        parts = [part if quoted % 2 else _FIRST_PERSON.sub("用户", part) for quoted, part in enumerate(parts)]
    return "".join(parts)
