"""Clients that add, correct, upload, change, search and read, and try again as clients do."""

import asyncio
import random
from typing import Any, Final

import httpx

from benchmarks.chaos.author import Author
from benchmarks.chaos.model import Add, Change, Json, Ledger

_CLIENT_SECONDS: Final = 15.0
_TRIES: Final = 8
_MOST_FOUND: Final = 25


class Client:
    """One of several that work at the same time; what it sends depends on the seed, and on the answers."""

    def __init__(self, index: int, seed: int, base_url: str, key: str, ledger: Ledger, *, pause: float) -> None:
        self._author = Author(index, seed)
        self._random = random.Random(f"{seed} client {index}")  # noqa: S311 - to be repeated, not to be secret
        self._url = base_url
        self._headers = {"Authorization": f"Token {key}"}
        self._ledger = ledger
        self._pause = pause
        self._base: str | None = None
        self._changeable: list[Add] = []

    async def work(self, stopped: asyncio.Event) -> None:
        """Send requests until told to stop."""
        async with httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=_CLIENT_SECONDS) as http:
            while not stopped.is_set():
                choice = self._random.random()
                if choice < 0.6:  # noqa: PLR2004 - shares of the load
                    await self._add(http, self._author.message(), stopped)
                elif choice < 0.68:  # noqa: PLR2004 - same
                    await self._add(http, self._author.correction(), stopped)
                elif choice < 0.75:  # noqa: PLR2004 - same
                    await self._upload(http)
                elif choice < 0.82:  # noqa: PLR2004 - same
                    await self._change(http, stopped)
                else:
                    await self._read(http, choice)
                await asyncio.sleep(self._random.uniform(0, 2 * self._pause))

    async def _add(self, http: httpx.AsyncClient, add: Add, stopped: asyncio.Event) -> None:
        """Send it; with a key again after a failure, as keys are for, and now and then although it was accepted."""
        self._ledger.adds.append(add)
        headers = {} if add.key is None else {"Idempotency-Key": add.key}
        repeats = add.key is not None and self._random.random() < 0.2  # noqa: PLR2004 - shares of the load
        for _ in range(_TRIES if add.key is not None else 1):
            add.sent += 1
            answer = await self._post(http, add.route, add.body, headers)
            if answer is not None:
                add.task_ids.append(answer["task_id"])
                if not repeats:
                    break
                repeats = False
            if stopped.is_set():
                break
            await self._wait()
        if add.is_changeable:
            self._changeable.append(add)

    async def _upload(self, http: httpx.AsyncClient) -> None:
        """Send a file to the client's knowledge base; once, since no key says that a second one is the same."""
        if self._base is None:
            made = await self._post(http, "create/knowledgebase", {"knowledgebase_name": "rules"})
            if made is None:
                return
            self._base = str(made["id"])
        upload = self._author.upload(self._base)
        self._ledger.uploads.append(upload)
        answer = await self._post(http, "add/knowledgebase-file", upload.body)
        if answer is not None:
            upload.file_ids += [str(file["id"]) for file in answer]

    async def _change(self, http: httpx.AsyncClient, stopped: asyncio.Event) -> None:
        """Delete the memory of an add whose task has ended, or give it another text; again until it is answered."""
        if not self._changeable:
            return
        add = self._changeable.pop(self._random.randrange(len(self._changeable)))
        task = await self._post(http, "get/status", {"task_id": add.task_ids[0]})
        if task is None or task["status"] != "completed":
            return
        kind, owner = add.owners[0]
        query = {f"{kind}_id": owner, "query": add.mark, "relativity": 0, "memory_limit_number": _MOST_FOUND}
        found = await self._post(http, "search/memory", query)
        ids = [] if found is None else [one["id"] for one in found["memory_detail_list"] if add.mark in str(one)]
        if len(ids) != 1:
            return  # its preference is another memory: only what is one memory is changed
        mark, text = self._author.rewording()
        is_deletion = self._random.random() < 0.5  # noqa: PLR2004 - shares of the load
        change = Change(add, None if is_deletion else mark)
        route = "delete/memory" if is_deletion else "update/memory"
        body: Json = {"memory_ids": ids} if is_deletion else {"memory_id": ids[0], "content": text}
        self._ledger.changes.append(change)
        for number in range(_TRIES):
            # A deletion that was done although its answer got lost can't be done again.
            done = await self._post(http, route, body, is_missing_fine=is_deletion and number > 0)
            if done is not None:
                change.is_answered = True
                return
            if stopped.is_set():
                return
            await self._wait()

    async def _read(self, http: httpx.AsyncClient, choice: float) -> None:
        if choice < 0.92:  # noqa: PLR2004 - shares of the load
            await self._post(
                http, "search/memory", {"user_id": self._author.user(), "query": self._author.sentence("it")}
            )
        else:
            body = {"user_id": self._author.user(), "conversation_id": self._author.conversation()}
            await self._post(http, "get/message", body)

    async def _wait(self) -> None:
        await asyncio.sleep(self._random.uniform(0.2, 2.0))

    async def _post(
        self,
        http: httpx.AsyncClient,
        route: str,
        body: Json,
        headers: Json | None = None,
        *,
        is_missing_fine: bool = False,
    ) -> Any:  # noqa: ANN401 - JSON, None for no success
        """The data of an answer, if it is a success. Any other one must say that the client may try again."""
        try:
            response = await http.post(f"/{route}", json=body, headers=headers)
        except httpx.HTTPError as error:
            self._ledger.answers[f"{route} {type(error).__name__}"] += 1
            return None
        self._ledger.answers[f"{route} {response.status_code}"] += 1
        if response.status_code == httpx.codes.OK:
            return response.json()["data"]
        if is_missing_fine and response.status_code == httpx.codes.NOT_FOUND:
            return {}
        if response.status_code != httpx.codes.SERVICE_UNAVAILABLE or "retry-after" not in response.headers:
            self._ledger.violations.append(
                f"{route} answered {response.status_code} instead of 503 with Retry-After "
                f"(request {response.headers.get('x-request-id')}): {response.text[:300]}"
            )
        return None
