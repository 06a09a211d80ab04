"""The time, injected so that tests can choose it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def epoch_milliseconds(moment: datetime) -> int:
    """How the API gives times: whole milliseconds, what is left of one cut off."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)
