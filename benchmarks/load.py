"""How fast add/message and search/memory are, and where the time goes: `python -m benchmarks.load`.

Starts clean servers with the environment's settings, and prints latencies at 1 and 16 clients, the cost of an add
against the bare transaction that inserts the same rows, the parts of a search, and the memory and idle CPU of `serve`.
Ratios are of numbers from one run on one machine; absolute times are that machine's.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

import httpx
import numpy as np
import psycopg
from prometheus_client.parser import text_string_to_metric_families
from psycopg.types.json import Jsonb

from benchmarks.server import Server, clean_server
from memcubed.embedded import find_running
from memcubed.language.words import query_tokens
from memcubed.memories.model import MemoryKind
from memcubed.projects.keys import hash_key
from memcubed.projects.repository import AUTHENTICATE
from memcubed.recall.ranking import Weights
from memcubed.recall.repository import search_parameters
from memcubed.recall.sql import SEARCH, SERVER_SETTINGS
from memcubed.store.words import to_tsvector

CLIENTS: Final = (1, 16)
ADDS: Final = 300
SEARCHES: Final = 300
FED_CONVERSATIONS: Final = 60
IDLE_SECONDS: Final = 20

_TOPICS: Final = (
    ("I moved to {} last spring and the commute is twenty minutes.", "Congratulations, how is the flat?"),
    ("我最近在学{}，每天晚上练半小时。", "坚持下去，三个月就能看到进步。"),
    ("Please never suggest {} again, I don't like it.", "Understood, I will leave it out."),
    ("下个月我要和家人去{}旅游，预算五千。", "可以先订往返车票，再看住宿。"),
    ("My sister works at a {} company and travels a lot.", "That must be tiring for her."),
)
_WORDS: Final = (
    "Lisbon",
    "吉他",
    "cilantro",
    "厦门",
    "shipping",
    "油画",
    "Oslo",
    "peanuts",
    "成都",
    "robotics",
    "游泳",
)
_QUERIES: Final = ("What should I cook for {}?", "帮我安排一个去{}的周末", "Where do I live, near {}?", "我会弹{}吗？")


def main() -> None:
    """Run every part and print its table."""
    random.seed(7)
    with clean_server("--no-worker") as server:
        asyncio.run(_adds(server))
    with clean_server() as server:
        asyncio.run(_searches(server))
        _footprint(server)


async def _adds(server: Server) -> None:
    print("## add/message (asynchronous, 4 messages a call)\n")
    rows = {}
    for clients in CLIENTS:
        async with server.client() as client:
            await _load(lambda: _add(client), clients, 20)
            rows[f"{clients} clients"] = await _load(lambda: _add(client), clients, ADDS)
    bare = _bare_adds(server)
    _print_latencies({**rows, "bare transaction": (bare, sum(bare))})
    ratio = median(rows["1 clients"][0]) / median(bare)
    print(f"\nadd at 1 client / bare transaction of the same rows: {ratio:.2f}\n")


async def _searches(server: Server) -> None:
    async with server.client() as client:
        tasks = [await _add(client, "searcher") for _ in range(FED_CONVERSATIONS)]
        for task in tasks:
            await _ended(client, task)
        await _load(lambda: _search(client), 1, 20)
        before = await _stages(server)
        rows = {"1 clients": await _load(lambda: _search(client), 1, SEARCHES)}
        parts = {name: value - before[name] for name, value in (await _stages(server)).items()}
        rows["16 clients"] = await _load(lambda: _search(client), 16, SEARCHES)
        rows["1 clients, same query"] = await _load(lambda: _search(client, "我会弹吉他吗？"), 1, SEARCHES)
    print("## search/memory (each query new, so each is embedded)\n")
    _print_latencies(rows)
    _print_parts(parts, _bare_search(server))


async def _ended(client: httpx.AsyncClient, task_id: str) -> None:
    while (await _post(client, "/get/status", {"task_id": task_id}))["status"] == "running":  # noqa: ASYNC110 - over HTTP
        await asyncio.sleep(0.2)


def _print_parts(parts: dict[str, float], bare_seconds: float) -> None:
    total = parts["total"] / SEARCHES
    embedding = parts["embedding"] / SEARCHES
    own = total - embedding - bare_seconds
    print("\n## where the time of a search goes (means, 1 client)\n")
    print(f"{'':44}{'ms':>8}{'share':>8}")
    for name, seconds in (
        ("total in the service", total),
        ("  checking the key", parts["authentication"] / SEARCHES),
        ("  embedding the query", embedding),
        ("  searching the database", parts["sql"] / SEARCHES),
        ("  ranking and shaping", parts["ranking"] / SEARCHES),
        ("  the rest", total - sum(parts[name] for name in parts if name != "total") / SEARCHES),
        ("bare SQL of key check and search", bare_seconds),
        ("the service's own (total - embedding - bare SQL)", own),
    ):
        print(f"{name:44}{seconds * 1000:8.2f}{seconds / total:8.0%}")
    print()


async def _load(call: Callable[[], Awaitable[object]], clients: int, count: int) -> tuple[list[float], float]:
    """Latencies of `count` calls by so many clients, and the time they took together."""
    seconds: list[float] = []
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            started = time.perf_counter()
            await call()
            seconds.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(clients)))
    return seconds, time.perf_counter() - started


async def _add(client: httpx.AsyncClient, user: str | None = None) -> str:
    data = await _post(
        client,
        "/add/message",
        {
            "user_id": user or f"user-{random.randrange(50)}",  # noqa: S311 - a load, not a secret
            "conversation_id": uuid4().hex,
            "messages": [{"role": role, "content": content} for role, content in _conversation()],
        },
    )
    return str(data["task_id"])


def _conversation() -> list[tuple[str, str]]:
    said = []
    for question, answer in random.sample(_TOPICS, 2):
        said += [("user", question.format(random.choice(_WORDS))), ("assistant", answer)]  # noqa: S311 - same
    return said


async def _search(client: httpx.AsyncClient, query: str | None = None) -> object:
    if query is None:
        query = random.choice(_QUERIES).format(random.choice(_WORDS)) + f" ({random.randrange(10**9)})"  # noqa: S311 - same
    return await _post(client, "/search/memory", {"user_id": "searcher", "query": query})


async def _post(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = (await client.post(path, json=body)).json()
    if answer["code"] != 0:
        raise SystemExit(f"{path}: {answer['message']}")
    data: dict[str, Any] = answer["data"]
    return data


async def _stages(server: Server) -> dict[str, float]:
    """Seconds spent so far: in search requests as a whole, and in their parts."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{server.root}/metrics")).text
    spent = {"total": 0.0, "authentication": 0.0, "embedding": 0.0, "sql": 0.0, "ranking": 0.0, "folding": 0.0}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "memcubed_search_stage_seconds_sum":
                spent[sample.labels["stage"]] += sample.value
            elif sample.name == "memcubed_authentication_seconds_sum":
                spent["authentication"] += sample.value
            elif sample.name == "memcubed_http_request_seconds_sum" and "search" in sample.labels["route"]:
                spent["total"] += sample.value
    return spent


def _connect(server: Server) -> psycopg.Connection[Any]:
    running = find_running(server.home) if server.home else None
    if running is None:
        raise SystemExit("the bundled database is not running")
    return psycopg.connect(running.admin_url, autocommit=True)


def _bare_adds(server: Server) -> list[float]:
    """Latencies of the transaction that an add makes, without the service around it."""
    seconds = []
    with _connect(server) as connection:
        project_id = _only_project(connection)
        for _ in range(ADDS):
            said = _conversation()
            started = time.perf_counter()
            with connection.transaction():
                _insert_like_an_add(connection, project_id, said)
            seconds.append(time.perf_counter() - started)
    return seconds


def _insert_like_an_add(connection: psycopg.Connection[Any], project_id: UUID, said: Sequence[tuple[str, str]]) -> None:
    owner = f"bare-{random.randrange(50)}"  # noqa: S311 - a load, not a secret
    cube_id, task_id = uuid5(project_id, f"user:{owner}"), uuid4()
    place = {"project": project_id, "cube": cube_id, "task": task_id}
    run = connection.execute
    run(
        "INSERT INTO cubes VALUES (%(cube)s, %(project)s, 'user', %(owner)s) ON CONFLICT DO NOTHING",
        {**place, "owner": owner},
    )
    run(
        "INSERT INTO tasks (id, project_id, options, body_hash, running_body_hash)"
        " VALUES (%(task)s, %(project)s, '{}', %(hash)s, %(hash)s)",
        {**place, "hash": task_id.hex},
    )
    run(
        "INSERT INTO task_shares (cube_id, task_id, project_id, status)"
        " VALUES (%(cube)s, %(task)s, %(project)s, 'running')",
        place,
    )
    run(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args) VALUES ('default', 'bare', %s, %s)",
        (str(cube_id), Jsonb({"task_id": str(task_id)})),
    )
    ids = [uuid4() for _ in said]
    cursor = connection.cursor()
    cursor.executemany(
        "INSERT INTO messages (cube_id, id, project_id, task_id, conversation_id, role, text, payload, chat_time)"
        " VALUES (%s, %s, %s, %s, 'bare', %s, %s, %s, now())",
        [
            (cube_id, id_, project_id, task_id, role, content, Jsonb({"role": role, "content": content}))
            for id_, (role, content) in zip(ids, said, strict=True)
        ],
    )
    memories = [uuid4() for _ in said[::2]]
    cursor.executemany(
        "INSERT INTO memories (cube_id, id, project_id, task_id, kind, layer, status, key, value, index_text, words,"
        " word_count, tags, confidence, conversation_id, extractor, fingerprint, source_role,"
        " told_at, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s, 'fact', 'WorkingMemory', 'activated', %s, %s, %s, %s, 20, '{mode:fast}', 1, 'bare',"
        " 'coarse', %s, 'user', now(), now(), now())",
        [
            (
                cube_id,
                id_,
                project_id,
                task_id,
                said[2 * i][1],
                said[2 * i][1],
                said[2 * i][1],
                to_tsvector(said[2 * i][1].split()),
                id_.hex,
            )
            for i, id_ in enumerate(memories)
        ],
    )
    cursor.executemany(
        "INSERT INTO memory_sources (cube_id, memory_id, message_id, project_id) VALUES (%s, %s, %s, %s)",
        [(cube_id, memories[i // 2], id_, project_id) for i, id_ in enumerate(ids)],
    )


def _bare_search(server: Server) -> float:
    """Mean seconds of the two statements of a search, without the service around them."""
    with _connect(server) as connection:
        project_id = _only_project(connection)
        row = connection.execute("SELECT space, embedding::text FROM memory_vectors LIMIT 1").fetchone()
        if row is None:
            raise SystemExit("no memory has a vector")
        space, vector = row
        for name, value in SERVER_SETTINGS.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        seconds = []
        for _ in range(SEARCHES):
            terms = query_tokens(random.choice(_QUERIES).format(random.choice(_WORDS)))  # noqa: S311 - same
            started = time.perf_counter()
            connection.execute(AUTHENTICATE, {"key_hash": hash_key(server.key)}).fetchall()
            connection.execute(
                SEARCH,
                search_parameters(
                    project_id,
                    [uuid5(project_id, "user:searcher"), uuid5(project_id, "public:")],
                    frozenset(MemoryKind),
                    vector=np.array(vector[1:-1].split(","), dtype=np.float32),
                    space=space,
                    terms=terms,
                    weights=Weights(),
                ),
            ).fetchall()
            seconds.append(time.perf_counter() - started)
        count = connection.execute("SELECT count(*) FROM memories WHERE status = 'activated'").fetchone()
    print(f"(a cube of {count[0] if count else 0} memories)")
    return sum(seconds) / len(seconds)


def _only_project(connection: psycopg.Connection[Any]) -> UUID:
    row = connection.execute("SELECT id FROM projects").fetchone()
    if row is None:
        raise SystemExit("the server has no project")
    project_id: UUID = row[0]
    return project_id


def _print_latencies(rows: dict[str, tuple[list[float], float]]) -> None:
    print(f"{'':24}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'a second':>10}")
    for name, (seconds, took) in rows.items():
        ordered = sorted(seconds)
        p50, p95, p99 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.95, 0.99))
        print(f"{name:24}{p50:9.1f}{p95:9.1f}{p99:9.1f}{len(seconds) / took:10.1f}")


def _footprint(server: Server) -> None:
    process = Path(f"/proc/{server.pid}")
    if not process.exists():
        return
    before = _cpu_ticks(process)
    time.sleep(IDLE_SECONDS)
    ticks = _cpu_ticks(process) - before
    resident = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS"))
    print("## serve\n")
    print(f"resident memory: {int(resident.split()[1]) / 1024:.0f} MB")
    print(f"CPU while idle: {ticks / IDLE_SECONDS:.1f} % of a core")


def _cpu_ticks(process: Path) -> int:
    """User and system time, in hundredths of a second (see proc(5))."""
    fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    main()
