"""The reckoning when all is over: what was accepted is there once, everything came to an end, and nothing is double."""

import asyncio
import re
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, LiteralString, TypeVar

import httpx
import psycopg

from benchmarks.chaos.expectations import Owned, misplaced, undone, unread
from benchmarks.chaos.model import Add, Json, Ledger
from benchmarks.chaos.processes import Fleet
from tests.support.process import COMMAND

_POLL_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 60.0
_AT_ONCE: Final = 8
_SHOWN: Final = 20
_MOST_MESSAGES: Final = 50
_MOST_FOUND: Final = 25

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

_FILES: Final = (
    "SELECT f.name, f.status, (SELECT count(*) FROM memories m WHERE m.cube_id = f.cube_id "
    "AND m.value LIKE '%' || split_part(f.name, '.', 1) || '%') FROM knowledge_files f"
)
_EVIDENCE: Final = (
    "SELECT m.id::text, m.sequence, c.kind, c.owner, m.kind, m.layer, m.status, m.conversation_id, m.value, "
    "(SELECT array_agg(v.space) FROM memory_vectors v WHERE v.cube_id = m.cube_id AND v.memory_id = m.id) "
    "FROM memories m JOIN cubes c ON c.id = m.cube_id WHERE m.value LIKE %s ORDER BY m.sequence"
)

T = TypeVar("T")


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
        changed = {change.add.mark for change in self._ledger.changes}
        unchanged = [add for add in self._ledger.adds if add.mark not in changed]
        attached = [replace(add, mark=add.attached) for add in unchanged if add.attached is not None]
        self._violate_all(misplaced(self._ledger.adds, messages, "message"))
        self._violate_all(misplaced(unchanged, memories, "memory"))
        self._violate_all(misplaced(attached, memories, "attached file"))
        self._violate_all(undone(self._ledger.changes, memories))
        self._violate_all(unread(self._ledger.uploads, await self._files()))
        self._violate("Messages of adds that nobody sent:", set(messages) - {add.mark for add in self._ledger.adds})
        await self._check_messages_told(accepted, messages)
        await self._check_recall(memories)
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

    async def _check_recall(self, memories: Owned) -> None:
        """Every memory of a user or an agent is found by its mark, once of a kind, and every file in its base."""
        scopes: list[tuple[str, Json, bool]] = []
        for add in self._ledger.adds:
            kind, owner = add.owners[0]
            scopes += [
                (mark, {f"{kind}_id": owner}, (kind, owner) in memories.get(mark, {}))
                for mark in (add.mark, add.attached)
                if mark is not None
            ]
        for change in self._ledger.changes:
            kind, owner = change.add.owners[0]
            if change.new_mark is not None:
                scopes.append((change.new_mark, {f"{kind}_id": owner}, change.new_mark in memories))
        scopes += [
            (upload.mark, {"user_id": "nobody", "knowledgebase_ids": [upload.base]}, True)
            for upload in self._ledger.uploads
            if upload.is_answered
        ]

        async def search(scope: tuple[str, Json, bool]) -> str | None:
            mark, where, is_there = scope
            limits = {"relativity": 0, "memory_limit_number": _MOST_FOUND, "preference_limit_number": _MOST_FOUND}
            found = await self._post("search/memory", {**where, "query": mark, **limits})
            facts = [one["memory_value"] for one in found["memory_detail_list"]]
            preferences = [one["preference"] for one in found["preference_detail_list"]]
            hits = [sum(mark in value for value in values) for values in (facts, preferences)]
            if max(hits) == is_there:
                return None
            rows = "".join(f"\n        {row}" for row in await self._rows(_EVIDENCE, [f"%{mark}%"]))
            return f"{mark} in {where}: {hits} times of {len(facts)}, the best {facts[:3]}; there is{rows}"

        lines = await _each(search, scopes)
        self._violate("Memories that a search does not find once:", [line for line in lines if line is not None])

    async def _files(self) -> dict[str, list[tuple[str, int]]]:
        files: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for name, status, memories in await self._rows(_FILES):
            files[name.split(".")[0]].append((status, memories))
        return files

    async def _statuses(self, tasks: Iterable[str]) -> dict[str, str]:
        async def ask(task: str) -> tuple[str, str]:
            return task, (await self._post("get/status", {"task_id": task}))["status"]

        return dict(await _each(ask, tasks))

    async def _post(self, route: str, body: Json) -> Json:
        response = await self._http.post(f"/{route}", json=body)
        while response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            await asyncio.sleep(float(response.headers["retry-after"]))
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

    async def _rows(
        self, statement: LiteralString, parameters: Sequence[object] | None = None
    ) -> list[tuple[Any, ...]]:
        server = await self._fleet.database()
        if server is None:
            raise psycopg.OperationalError("PostgreSQL does not answer")
        async with await psycopg.AsyncConnection.connect(server.admin_url) as connection:
            return await (await connection.execute(statement, parameters)).fetchall()

    async def _owned(self, statement: LiteralString) -> Owned:
        found: Owned = defaultdict(Counter)
        for mark, kind, owner, count in await self._rows(statement):
            if mark is not None:
                found[mark][kind, owner] += count
        return found

    def _violate_all(self, wrong: Mapping[str, Iterable[str]]) -> None:
        for what, evidence in wrong.items():
            self._violate(what, evidence)

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
