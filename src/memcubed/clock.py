"""The time, injected so that tests can choose it."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def epoch_milliseconds(moment: datetime) -> int:
    """How the API gives times."""
    return int(moment.timestamp() * 1000)
