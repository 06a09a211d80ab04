"""Feeds a suite to a server and asks its questions."""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from benchmarks.recall.model import Answered, Post, Question, Result, Suite

MOST: Final = 25
_CLIENTS: Final = 4
_POLL_SECONDS: Final = 0.2


async def feed(client: httpx.AsyncClient, suite: Suite) -> None:
    """Post everything, each user's conversations in order, and wait until every task has ended."""
    users: dict[str, list[Post]] = {}
    for post in suite.posts:
        users.setdefault(post.user_id, []).append(post)
    progress = Progress(f"{suite.name}: feeding", len(suite.posts))

    async def feed_user(posts: Sequence[Post]) -> None:
        tasks = []
        for post in posts:
            body = {"user_id": post.user_id, "conversation_id": post.conversation_id, "messages": post.messages}
            tasks.append((await call(client, "/add/message", body))["task_id"])
        for task in tasks:
            await _completed(client, task)
            progress.step()

    await asyncio.gather(*(feed_user(posts) for posts in users.values()))
    progress.end()


async def _completed(client: httpx.AsyncClient, task_id: str) -> None:
    status: Mapping[str, Any] = {"status": "running"}
    while status["status"] == "running":
        await asyncio.sleep(_POLL_SECONDS)
        status = await call(client, "/get/status", {"task_id": task_id})
    if status["status"] != "completed":
        raise SystemExit(f"task {task_id} failed: {status['reason']}")


async def ask(
    client: httpx.AsyncClient, suite: Suite, arms: Sequence[str] | None, relativity: float | None
) -> list[Answered]:
    """Every question's results; `arms` restricts recall, `relativity` 0 turns its threshold off."""
    labels = _labels(suite)
    progress = Progress(f"{suite.name}: asking ({'+'.join(arms) if arms else 'all arms'})", len(suite.questions))

    async def one(question: Question) -> Answered:
        body: dict[str, Any] = {
            "user_id": question.user_id,
            "query": question.text,
            "memory_limit_number": MOST,
            "preference_limit_number": MOST,
            "include_preference": suite.include_preference,
            "relativity": relativity,
            "arms": arms,
        }
        started = time.perf_counter()
        data = await call(client, "/search/memory", body)
        seconds = time.perf_counter() - started
        progress.step()
        return Answered(question, _results(data, question.user_id, labels), seconds)

    # One at a time: the search times are then those of a search alone.
    answered = [await one(question) for question in suite.questions]
    progress.end()
    return answered


def _labels(suite: Suite) -> Mapping[tuple[str, str, int], str]:
    """(user, conversation, chat_time in epoch seconds) → label; for pairs the conversation alone tells."""
    labels = {}
    for post in suite.posts:
        for message, label in zip(post.messages, post.labels, strict=True):
            moment = datetime.fromisoformat(message["chat_time"]).replace(tzinfo=UTC)
            labels[post.user_id, post.conversation_id, int(moment.timestamp())] = label
    return labels


def _results(data: Mapping[str, Any], user_id: str, labels: Mapping[tuple[str, str, int], str]) -> tuple[Result, ...]:
    results = [
        Result(memory[value], memory["relativity"], _sources(memory, user_id, labels), is_preference)
        for key, value, is_preference in (
            ("memory_detail_list", "memory_value", False),
            ("preference_detail_list", "preference", True),
        )
        for memory in data[key]
    ]
    return tuple(sorted(results, key=lambda result: -result.relativity))


def _sources(memory: Mapping[str, Any], user_id: str, labels: Mapping[tuple[str, str, int], str]) -> frozenset[str]:
    found = (
        labels.get((user_id, memory["conversation_id"], source["chat_time"] // 1000)) for source in memory["sources"]
    )
    return frozenset(label for label in found if label is not None)


async def call(client: httpx.AsyncClient, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer's data; ends the run with the server's message when it is an error."""
    answer = (await client.post(path, json=body)).json()
    if answer["code"] != 0:
        raise SystemExit(f"{path}: {answer['message']}")
    data: dict[str, Any] = answer["data"]
    return data


class Progress:
    """A progress bar on standard error."""

    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = total
        self._done = 0

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        if sys.stderr.isatty():
            filled = 30 * self._done // max(self._total, 1)
            bar = "#" * filled + "." * (30 - filled)
            sys.stderr.write(f"\r{self._title} [{bar}] {self._done}/{self._total}")
            sys.stderr.flush()

    def end(self) -> None:
        """All are done."""
        sys.stderr.write(f"\r{self._title}: {self._done}\n")
