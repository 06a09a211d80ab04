"""Rate limits as token buckets whose whole state is one moment: when the bucket will be full again.

Taking units moves that moment into the future; the bucket is empty when it lies as far ahead as filling takes. This is
the generic cell rate algorithm (ITU-T I.371) in its virtual-scheduling form: one number a bucket, one statement a take.
"""

import math
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Bucket:
    """`capacity` units at most, and `per_second` flow back; a `per_second` of 0 turns the limit off."""

    capacity: int
    per_second: float

    @property
    def is_off(self) -> bool:
        """Whether everything is let through."""
        return self.per_second <= 0

    def time_of(self, units: int) -> timedelta:
        """How long these units take to flow back, in whole microseconds."""
        return timedelta(0) if self.is_off else timedelta(microseconds=max(units, round(units * 1e6 / self.per_second)))

    @property
    def room(self) -> timedelta:
        """How long an empty bucket takes to fill; a multiple of one unit's time, so that rounding costs no unit."""
        return self.time_of(1) * self.capacity

    def read(self, full_in_seconds: float) -> "Allowance":
        """What is left in a bucket that will be full in so many seconds."""
        full_in = timedelta(seconds=max(0.0, full_in_seconds))
        return Allowance(
            limit=self.capacity,
            remaining=max(0, (self.room - full_in) // self.time_of(1)),
            full_in_seconds=math.ceil(full_in.total_seconds()),
        )

    def wait_seconds(self, full_in_seconds: float, units: int = 1) -> int:
        """Whole seconds, at least one, until so many units can be taken, or all that it holds when that is less."""
        full_in, cost = timedelta(seconds=max(0.0, full_in_seconds)), self.time_of(units)
        return max(1, math.ceil((full_in + min(cost, self.room) - self.room).total_seconds()))


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a project may still do: `remaining` of `limit` requests at once, and seconds until it is all of them."""

    limit: int
    remaining: int
    full_in_seconds: int
