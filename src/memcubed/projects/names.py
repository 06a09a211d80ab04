"""What a project and a key may be called, and in which time zones a project can be."""

from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from memcubed.errors import InvalidRequestError, MissingFieldError

MAX_NAME_CHARACTERS: Final = 200


def check_name(name: str) -> str:
    """The name of a new project, without blanks around it. Raises MissingFieldError or InvalidRequestError."""
    if not name.strip():
        raise MissingFieldError("name must not be empty.")
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidRequestError(f"name must be at most {MAX_NAME_CHARACTERS} characters; it has {len(name)}.")
    return name.strip()


def check_key_name(name: str) -> str:
    """What a new key is for. Raises InvalidRequestError."""
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidRequestError(
            f"name of a key must be at most {MAX_NAME_CHARACTERS} characters; it has {len(name)}."
        )
    return name


def check_timezone(name: str) -> ZoneInfo:
    """The time zone of a new project. Raises InvalidRequestError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidRequestError(f"timezone: {name[:100]!r} is no IANA time zone.") from error
