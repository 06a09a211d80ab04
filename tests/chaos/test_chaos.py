"""Kills and faults under load: what was accepted is there once, everything comes to an end, nothing is double."""

from pathlib import Path

import pytest

from benchmarks.chaos.model import Blow, Ledger
from benchmarks.chaos.run import Options, run

SEED = 4711


async def survive(home: Path, *, seconds: float, kills: int) -> None:
    ledger = Ledger()
    await run(Options(SEED, seconds, kills, home, rest_seconds=300), ledger)
    assert not ledger.violations, "\n".join(ledger.violations)
    assert ledger.kills == kills
    assert any(add.is_answered for add in ledger.adds)


async def test_nothing_is_lost_or_doubled(home: Path) -> None:
    await survive(home, seconds=16, kills=len(Blow))


@pytest.mark.slow
async def test_nothing_is_lost_or_doubled_in_minutes(home: Path) -> None:
    await survive(home, seconds=300, kills=20)
