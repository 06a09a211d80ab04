"""The command: `python -m benchmarks.chaos [--seconds N] [--seed N] [--kills N] [--home FOLDER]`."""

import argparse
import asyncio
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Final

from benchmarks.chaos.model import Blow, Fault, Ledger
from benchmarks.chaos.run import Options, run

_MINUTES: Final = 30
_KILLS_A_MINUTE: Final = 2


def main() -> None:
    """Run, print what happened, and end with 1 when anything was violated."""
    arguments = _arguments()
    kills = arguments.kills
    if kills is None:
        kills = max(4, round(arguments.seconds / 60 * _KILLS_A_MINUTE))
    home = Path(tempfile.mkdtemp(prefix="memcubed-chaos-")) if arguments.home is None else arguments.home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    if (home / "postgres").exists():
        raise SystemExit(f"There is a database in {home} already: name an empty folder.")
    print(f"seed {arguments.seed}, {arguments.seconds:g} s, {kills} kills, in {home}", flush=True)
    ledger = Ledger()
    started = time.monotonic()
    try:
        asyncio.run(run(Options(arguments.seed, arguments.seconds, kills, home), ledger))
    except Exception:  # noqa: BLE001 - what was seen until then is to be told all the same
        ledger.violations.append(f"The run broke off:\n{traceback.format_exc()}")
    print_report(ledger, seconds=time.monotonic() - started)
    print(f"Repeat it with --seed {arguments.seed} --seconds {arguments.seconds:g} --kills {kills}; logs: {home}/logs")
    sys.exit(1 if ledger.violations else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=_MINUTES * 60.0, help="how long the load and the kills last")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="to repeat a run")  # noqa: S311 - to be repeated
    parser.add_argument("--kills", type=int, help="how many processes are ended (default: two a minute)")
    parser.add_argument("--home", type=Path, help="an empty folder for the database and the logs (default: a new one)")
    return parser.parse_args()


def print_report(ledger: Ledger, *, seconds: float) -> None:
    """Print tables of what was done and answered, then every violation with its evidence."""
    print(f"\n{'done to the service':50}{'times':>8}")
    for what in (*Blow, *Fault):
        print(f"  {what:48}{ledger.done[what]:8}")
    print(f"  {'processes ended in all':48}{ledger.kills:8}")
    print(f"\n{'answers':50}{'times':>8}")
    for what, count in sorted(ledger.answers.items()):
        print(f"  {what:48}{count:8}")
    accepted = sum(add.is_answered for add in ledger.adds)
    print(f"\n{'adds':50}{'number':>8}")
    print(f"  {'different ones':48}{len(ledger.adds):8}")
    print(f"  {'with an Idempotency-Key':48}{sum(add.key is not None for add in ledger.adds):8}")
    print(f"  {'sent again by their clients':48}{sum(add.sent > 1 for add in ledger.adds):8}")
    print(f"  {'accepted, so to be there once':48}{accepted:8}")
    print(f"  {'never answered with 200, so there once or never':48}{len(ledger.adds) - accepted:8}")
    for title, sent in (("files", ledger.uploads), ("memories changed or deleted", ledger.changes)):
        print(f"  {title:48}{len(sent):8}")
        print(f"  {'of them accepted':48}{sum(one.is_answered for one in sent):8}")
    print(f"  {'messages with a file':48}{sum(add.attached is not None for add in ledger.adds):8}")
    for what, count in sorted(ledger.notes.items()):
        print(f"  {what:48}{count:8}")
    print(f"\n{len(ledger.violations)} violations after {seconds:.0f} s.")
    for violation in ledger.violations:
        print(f"\n- {violation}")


if __name__ == "__main__":
    main()
