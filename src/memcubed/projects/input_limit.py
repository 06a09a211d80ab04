"""Input tokens a minute, counted in the database so that all processes together keep to the limit."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from memcubed.errors import InputTooLongError, RateLimitedError
from memcubed.language.tokens import estimate_tokens
from memcubed.projects.limits import Bucket
from memcubed.projects.refusals import Limit, Refusals
from memcubed.projects.repository import TAKE_TOKENS
from memcubed.store.session import Database

_BATCHES: Final = 100
_KEPT_SECONDS: Final = 60.0
_MOST_PROJECTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Reserve:
    tokens: int
    until: float


class InputLimit:
    """Counts the text that calls bring. Refused calls cost nothing.

    Most calls bring little, so a process takes a hundredth of a minute's tokens from the database at a time and
    answers from that: several processes agree to within a hundredth each, and most searches cost no round trip.
    """

    def __init__(
        self, database: Database, bucket: Bucket, refusals: Refusals, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._bucket = bucket
        self._refusals = refusals
        self._clock = clock
        self._reserves: OrderedDict[UUID, _Reserve] = OrderedDict()

    async def take(self, project_id: UUID, tokens: int) -> None:
        """Count this many tokens. Raises RateLimitedError when the project has no room for them."""
        if self._bucket.is_off or tokens <= 0:
            return
        held = self._claim(project_id)
        if held >= tokens:
            self._keep(project_id, held - tokens)
            return
        missing = tokens - held
        full_in = 0.0
        batch = self._bucket.capacity // _BATCHES
        for spare in (batch, 0) if missing + batch <= self._bucket.capacity else (0,):
            rows = await self._database.read(
                TAKE_TOKENS,
                {
                    "project_id": project_id,
                    "cost": self._bucket.time_of(missing + spare),
                    "room": self._bucket.room,
                },
                project_id=project_id,
            )
            if rows[0]["admitted"]:
                self._keep(project_id, spare)
                return
            full_in = rows[0]["full_in"] or 0.0
        self._keep(project_id, held)
        self._refusals.count(Limit.TOKENS)
        wait = self._bucket.wait_seconds(full_in, missing)
        raise RateLimitedError(
            f"The project has used up its {self._bucket.capacity} input tokens a minute; this call has about {tokens}. "
            f"Try again in {wait} s.",
            retry_after=wait,
        )

    def at_most(self, tokens: int) -> "CallLimit":
        """The limit of a route whose single calls may have this many tokens."""
        return CallLimit(self, tokens)

    def _claim(self, project_id: UUID) -> int:
        reserve = self._reserves.pop(project_id, None)
        return 0 if reserve is None or reserve.until < self._clock() else reserve.tokens

    def _keep(self, project_id: UUID, tokens: int) -> None:
        """Give back what was claimed and is left, to what others have kept meanwhile."""
        tokens += self._claim(project_id)
        if tokens:
            self._reserves[project_id] = _Reserve(tokens, self._clock() + _KEPT_SECONDS)
            while len(self._reserves) > _MOST_PROJECTS:
                self._reserves.popitem(last=False)


@dataclass(frozen=True, slots=True)
class CallLimit:
    """What one call of a route may bring, and all calls of a project together."""

    of_projects: InputLimit
    most: int

    async def take(self, project_id: UUID, text: str, field: str) -> None:
        """Count a field's text. Raises InputTooLongError or RateLimitedError."""
        tokens = estimate_tokens(text)
        if tokens > self.most:
            raise InputTooLongError(f"{field} has about {tokens} tokens; at most {self.most} are allowed.")
        await self.of_projects.take(project_id, tokens)
