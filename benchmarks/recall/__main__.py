"""Feed evaluation data to a server through add/message, ask through search/memory, print how well it recalls.

    python -m benchmarks.recall --data DIR [--url URL --key KEY] [--json FILE] [--compare FILE] [--only locomo,...]

DIR holds `locomo/*.json`, `dialogues/*.json` and `memory-pairs.json`, or some of them. Without --url a clean server
is started with the environment's settings and thrown away. docs/adr/0003-recall.md explains the measures.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.recall import scores
from benchmarks.recall.data import read_dialogues, read_locomo, read_pairs
from benchmarks.recall.model import Answered, Suite
from benchmarks.recall.run import ask, feed
from benchmarks.server import Server, clean_server

MODES: Final[Mapping[str, Sequence[str] | None]] = {"full": None, "words": ["words"], "vectors": ["vectors"]}
_NONE: Final = "none"

Numbers = dict[str, dict[str, float]]
"""Row → column → value."""


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="benchmarks.recall", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the evaluation data")
    parser.add_argument("--url", help="base URL of a running server, such as http://127.0.0.1:8000/api/openmem/v1")
    parser.add_argument("--key", help="an API key of that server; use a fresh project")
    parser.add_argument("--only", default="pairs,dialogues,locomo", help="which data sets, by commas")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--compare", type=Path, help="a file of an earlier run; the differences are printed")
    options = parser.parse_args()
    with _server(options.url, options.key) as server:
        numbers = asyncio.run(_measure(server, options.data, options.only.split(",")))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(numbers, indent=1, ensure_ascii=False), encoding="utf-8")
    if options.compare:
        _print_differences(numbers, json.loads(options.compare.read_text(encoding="utf-8")))


@contextmanager
def _server(url: str | None, key: str | None) -> Iterator[Server]:
    if url and key:
        yield Server(url.rstrip("/"), key)
        return
    with clean_server() as server:
        yield server


async def _measure(server: Server, data: Path, only: Sequence[str]) -> dict[str, Numbers]:
    suites = []
    if "pairs" in only and (data / "memory-pairs.json").exists():
        suites.append((read_pairs(data / "memory-pairs.json"), _pairs))
    if "dialogues" in only and (data / "dialogues").is_dir():
        suites.append((read_dialogues(data / "dialogues"), _dialogues))
    if "locomo" in only and (data / "locomo").is_dir():
        suites.append((read_locomo(data / "locomo"), _locomo))
    if not suites:
        sys.exit(f"{data} holds none of locomo/, dialogues/, memory-pairs.json")
    numbers: dict[str, Numbers] = {}
    async with server.client() as client:
        for suite, score in suites:
            await feed(client, suite)
            ranked = {mode: await ask(client, suite, arms, relativity=0) for mode, arms in MODES.items()}
            shown = await ask(client, suite, None, relativity=None)
            numbers[suite.name] = score(suite, ranked, shown)
            times = sorted(one.seconds for one in shown)
            numbers[suite.name]["search time (ms)"] = {"median": median(times) * 1000, "p95": _p95(times) * 1000}
            _print_table(suite.name, numbers[suite.name])
    return numbers


def _p95(times: Sequence[float]) -> float:
    return times[int(len(times) * 0.95)]


def _by_category(answered: Sequence[Answered]) -> dict[str, list[Answered]]:
    groups: dict[str, list[Answered]] = {}
    for one in answered:
        groups.setdefault(one.question.category, []).append(one)
    return dict(sorted(groups.items()))


def _locomo(suite: Suite, ranked: Mapping[str, Sequence[Answered]], shown: Sequence[Answered]) -> Numbers:
    numbers: Numbers = {}
    for mode, answered in ranked.items():
        groups = {"all": list(answered), **_by_category(answered)} if mode == "full" else {"all": list(answered)}
        for group, members in groups.items():
            numbers[f"{group} ({mode})"] = {
                f"@{budget}": scores.mean(
                    [scores.evidence_recall(one, budget, scores.latin_cost, suite.texts) for one in members]
                )
                for budget in scores.BUDGETS
            }
    numbers["all (full, above 0.45)"] = {
        f"@{budget}": scores.mean(
            [scores.evidence_recall(one, budget, scores.latin_cost, suite.texts) for one in shown]
        )
        for budget in scores.BUDGETS
    }
    return numbers


def _dialogues(suite: Suite, ranked: Mapping[str, Sequence[Answered]], shown: Sequence[Answered]) -> Numbers:
    numbers: Numbers = {}

    def within_budget(members: Sequence[Answered]) -> float:
        return scores.mean(
            [
                scores.evidence_recall(one, scores.DIALOGUE_BUDGET, scores.mixed_cost, suite.texts)
                for one in members
                if one.question.category != _NONE
            ]
        )

    for mode, answered in [*ranked.items(), ("full, above 0.45", shown)]:
        groups = _by_category([one for one in answered if one.question.category != _NONE])
        numbers[f"evidence @{scores.DIALOGUE_BUDGET} ({mode})"] = {
            "all": within_budget(answered),
            **{category: within_budget(members) for category, members in groups.items()},
        }
        if "update" in groups:
            numbers[f"right version first ({mode})"] = {"update": scores.right_first(groups["update"])}
    unanswerable = [one for one in shown if one.question.category == _NONE]
    numbers["nothing returned at 0.45"] = {_NONE: scores.mean([float(not one.results) for one in unanswerable])}
    return numbers


def _pairs(suite: Suite, ranked: Mapping[str, Sequence[Answered]], shown: Sequence[Answered]) -> Numbers:
    numbers: Numbers = {}
    for mode, answered in ranked.items():
        for category, members in _by_category(answered).items():
            numbers[f"{category} ({mode})"] = {
                "recall@1": scores.hit_rate(members, 1),
                "recall@5": scores.hit_rate(members, 5),
                "MRR": scores.reciprocal_rank(members),
            }
    noise = {
        user: sum(1 for who, label in suite.texts if who == user and label.startswith("noise"))
        for user in {post.user_id for post in suite.posts}
    }
    for category, members in _by_category(shown).items():
        pool = noise[members[0].question.user_id]
        numbers[f"calibration at 0.45, {category}"] = {
            "gold above": scores.mean(
                [float(any(r.labels & one.question.evidence for r in one.results)) for one in members]
            ),
            "noise below": 1
            - scores.mean([len({r.labels for r in one.results if scores.is_noise(r)}) / pool for one in members]),
        }
    return numbers


def _print_table(title: str, numbers: Numbers) -> None:
    print(f"\n## {title}")
    columns: list[str] = []
    for row, cells in numbers.items():
        if list(cells) != columns:
            columns = list(cells)
            print(f"\n{'':36}" + "".join(f"{column:>13}" for column in columns))
        print(f"{row:36}" + "".join(f"{value:13.1f}" if value > 1 else f"{value:13.3f}" for value in cells.values()))


def _print_differences(new: Mapping[str, Numbers], old: Mapping[str, Numbers]) -> None:
    print("\n## Differences from the earlier run")
    for suite, rows in new.items():
        for row, cells in rows.items():
            for column, value in cells.items():
                before = old.get(suite, {}).get(row, {}).get(column)
                if before is not None and abs(value - before) >= 0.0005:  # noqa: PLR2004 - what the tables show
                    print(f"{suite}: {row}, {column}: {before:.3f} -> {value:.3f} ({value - before:+.3f})")


if __name__ == "__main__":
    main()
