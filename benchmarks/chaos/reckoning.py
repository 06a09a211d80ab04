"""The reckoning when all is over: what was accepted is there once, everything came to an end, and nothing is double."""

import asyncio
import re
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, LiteralString, TypeVar

import httpx
import psycopg

from benchmarks.chaos.model import Add, Json, Ledger
from benchmarks.chaos.processes import Fleet
from tests.support.process import COMMAND

_POLL_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 60.0
_AT_ONCE: Final = 4
_SHOWN: Final = 20
_MOST_MESSAGES: Final = 50

_MARK: Final = re.compile("zq[a-z]{12}")
_QUEUE: Final = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
_JOBS: Final = (
    "SELECT id, task_name, status::text, attempts, scheduled_at, lock, args FROM procrastinate_jobs "
    "WHERE status IN ('todo', 'doing') ORDER BY id LIMIT 20"
)
_TASKS: Final = (
    "SELECT id::text, idempotency_key, finished_at IS NOT NULL, "
    "(SELECT array_agg(DISTINCT status) FROM task_shares s WHERE s.task_id = t.id) FROM tasks t"
)
_INTERNAL: Final = "SELECT task_id::text, last_error FROM task_shares WHERE last_error LIKE 'internal error%'"
_MESSAGES: Final = (
    "SELECT substring(m.text FROM 'zq[a-z]{12}'), c.kind, c.owner, count(*) "
    "FROM messages m JOIN cubes c ON c.id = m.cube_id WHERE m.role = 'user' GROUP BY 1, 2, 3"
)
# A message may become a fact and a preference; none of these may be there twice.
_MEMORIES: Final = (
    "SELECT mark, kind, owner, max(number) FROM ("
    "SELECT substring(m.value FROM 'zq[a-z]{12}') AS mark, c.kind, c.owner, count(*) AS number FROM memories m "
    "JOIN cubes c ON c.id = m.cube_id WHERE m.status = 'activated' AND m.layer <> 'WorkingMemory' "
    "GROUP BY 1, 2, 3, m.kind) counted GROUP BY 1, 2, 3"
)

T = TypeVar("T")
Owned = dict[str, Counter[tuple[str, str]]]
"""By mark: how often it is in which cube."""


def misplaced(adds: Iterable[Add], found: Owned, what: str) -> dict[str, list[str]]:
    """What is not where it has to be, under the titles of what is wrong.

    All owners of an accepted add have its message and its memory once; of one that was never accepted all have them
    once, or none has. Feedback may leave no memory behind.
    """
    lost, partial, doubled, astray = [], [], [], []
    for add in adds:
        owners = found.get(add.mark, Counter())
        missing = [owner for owner in add.owners if owner not in owners]
        line = f"{add.mark} ({add.route}, key {add.key}, sent {add.sent} times, tasks {add.task_ids})"
        if missing and not (what == "memory" and add.route == "add/feedback"):
            if add.is_answered:
                lost.append(f"{line} in {missing}")
            elif owners:
                partial.append(f"{line} in {missing}")
        doubled += [f"{line} {count} times in {owner}" for owner, count in owners.items() if count > 1]
        astray += [f"{line} in {owner}" for owner in owners if owner not in add.owners]
    return {
        f"Accepted adds whose {what} is lost:": lost,
        f"Adds of which some owners have the {what} and others not:": partial,
        f"Adds whose {what} is there more than once:": doubled,
        f"Adds whose {what} came to an owner that they do not name:": astray,
    }


class Reckoning:
    """Compares what was answered with what is there."""

    def __init__(self, fleet: Fleet, key: str, ledger: Ledger) -> None:
        self._fleet = fleet
        self._ledger = ledger
        self._http = httpx.AsyncClient(
            base_url=fleet.base_url, headers={"Authorization": f"Token {key}"}, timeout=_PATIENCE_SECONDS
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def rest(self, seconds: float) -> bool:
        """Wait until the queue is empty; whether it became so in this time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if await self._rows(_QUEUE) == [(0,)]:
                    return True
            except psycopg.OperationalError:
                pass
            await asyncio.sleep(_POLL_SECONDS)
        self._violate("The queue did not become empty; there are", [str(row) for row in await self._rows(_JOBS)])
        return False

    async def retry_failed(self) -> int:
        """Put what failed back on the queue, as an operator does when a model is back; how many tasks."""
        listed = await self.command("task", "list", "--status", "failed", "--limit", "10000")
        failed = {line.split()[0] for line in listed[1].splitlines()}
        known = {task for add in self._ledger.adds for task in add.task_ids}
        told = {task for task, status in (await self._statuses(known)).items() if status == "failed"}
        self._violate("Tasks that get/status calls failed are not in `task list`:", told - failed)
        if failed:
            done = await self.command("task", "retry", "--failed")
            if done[0] != 0:
                self._violate("`memcubed task retry --failed` failed:", [done[1]])
        return len(failed)

    async def settle(self) -> None:
        """Check everything."""
        accepted = [add for add in self._ledger.adds if add.is_answered]
        self._violate(
            "Repeats with a key were answered with another task:",
            [f"{add.key}: {add.task_ids}" for add in accepted if len(set(add.task_ids)) > 1],
        )
        await self._check_tasks(accepted)
        messages, memories = await self._owned(_MESSAGES), await self._owned(_MEMORIES)
        for what, found in (("message", messages), ("memory", memories)):
            for title, lines in misplaced(self._ledger.adds, found, what).items():
                self._violate(title, lines)
        self._violate("Messages of adds that nobody sent:", set(messages) - {add.mark for add in self._ledger.adds})
        await self._check_messages_told(accepted, messages)
        await self._check_recall(accepted)
        code, said = await self.command("doctor")
        if code != 0:
            self._violate("`memcubed doctor` is not clean:", [said])

    async def _check_tasks(self, accepted: Sequence[Add]) -> None:
        rows = await self._rows(_TASKS)
        unfinished = [f"{row[0]} {row[3]}" for row in rows if not row[2] or "running" in (row[3] or ["none"])]
        self._violate("Tasks without an end:", unfinished)
        known = {row[0] for row in rows}
        told = {task: add for add in accepted for task in add.task_ids}
        self._violate("Tasks that were answered but are not there:", set(told) - known)
        statuses = await self._statuses(told)
        wrong = [f"{task} ({told[task].mark}): {status}" for task, status in statuses.items() if status != "completed"]
        self._violate("Tasks that are not completed after their retry:", wrong)
        self._violate("Tasks that met an error nobody expected:", [str(row) for row in await self._rows(_INTERNAL)])

    async def _check_messages_told(self, accepted: Iterable[Add], messages: Owned) -> None:
        """What get/message tells is what the database has."""
        wanted: dict[tuple[str, str], set[str]] = defaultdict(set)
        for add in accepted:
            for kind, owner in add.owners:
                if kind == "user":
                    wanted[owner, add.conversation_id].add(add.mark)

        async def tell(place: tuple[str, str]) -> list[str]:
            body = {"user_id": place[0], "conversation_id": place[1], "message_limit_number": _MOST_MESSAGES}
            listed = (await self._post("get/message", body))["message_detail_list"]
            said = Counter(mark for one in listed for mark in _MARK.findall(str(one["content"])) if mark in messages)
            return [f"{mark} {said[mark]} times in {place}" for mark in wanted[place] if said[mark] != 1]

        found = await _each(tell, wanted)
        self._violate("Messages that get/message does not tell once:", [line for lines in found for line in lines])

    async def _check_recall(self, accepted: Iterable[Add]) -> None:
        """Every fact is found by a search of its owner, once."""

        async def search(add: Add) -> str | None:
            kind, owner = add.owners[0]
            body = {f"{kind}_id": owner, "query": add.mark, "relativity": 0, "memory_limit_number": 25}
            found = (await self._post("search/memory", body))["memory_detail_list"]
            hits = [one for one in found if add.mark in one["memory_value"]]
            if len(hits) == 1 or (not hits and add.route == "add/feedback"):
                return None
            return f"{add.mark} of {owner}: {len(hits)} times"

        lines = await _each(search, accepted)
        self._violate("Facts that a search does not find once:", [line for line in lines if line is not None])

    async def _statuses(self, tasks: Iterable[str]) -> dict[str, str]:
        async def ask(task: str) -> tuple[str, str]:
            return task, (await self._post("get/status", {"task_id": task}))["status"]

        return dict(await _each(ask, tasks))

    async def _post(self, route: str, body: Json) -> Json:
        response = await self._http.post(f"/{route}", json=body)
        response.raise_for_status()
        data: Json = response.json()["data"]
        return data

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run a `memcubed` command on this home; its exit status and what it said."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *arguments,
            env=self._fleet.env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    async def _rows(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        server = await self._fleet.database()
        if server is None:
            raise psycopg.OperationalError("PostgreSQL does not answer")
        async with await psycopg.AsyncConnection.connect(server.admin_url) as connection:
            return await (await connection.execute(statement)).fetchall()

    async def _owned(self, statement: LiteralString) -> Owned:
        found: Owned = defaultdict(Counter)
        for mark, kind, owner, count in await self._rows(statement):
            if mark is not None:
                found[mark][kind, owner] += count
        return found

    def _violate(self, what: str, evidence: Iterable[str]) -> None:
        lines = sorted(evidence)
        if lines:
            shown = [*lines[:_SHOWN], *(["…"] if len(lines) > _SHOWN else [])]
            self._ledger.violations.append(f"{what} {len(lines)}\n" + "\n".join(f"    {line}" for line in shown))


async def _each(ask: Callable[[Any], Awaitable[T]], subjects: Iterable[Any]) -> list[T]:
    """Ask about each of them, a few at a time."""
    waiting = iter(list(subjects))
    found: list[T] = []

    async def work() -> None:
        for subject in waiting:
            found.append(await ask(subject))  # noqa: PERF401 - several take from one iterator

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return found
