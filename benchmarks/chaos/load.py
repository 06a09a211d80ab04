"""Clients that add, correct, search and read, and try again as clients do."""

import asyncio
import random
import string
from typing import Final

import httpx

from benchmarks.chaos.model import Add, Json, Ledger

_CLIENT_SECONDS: Final = 15.0
_TRIES: Final = 8
_KEPT_IN_A_CONVERSATION: Final = 20  # get/message gives 50 messages, of which an add has up to two

_SENTENCES: Final = (
    "I keep a boat called {} in the harbour.",
    "My dog {} sleeps on the balcony.",
    "The meeting room on my floor is called {}.",
    "I grew up in a village named {}.",
    "我家的猫叫 {} ，今年三岁。",
    "我最喜欢的茶馆是 {} 。",
)
_FEEDBACK: Final = (
    "Please mention {} whenever I ask about the summer house.",
    "以后回答时请记得提到 {} 。",
)


class Client:
    """One of several that work at the same time; what it sends depends on the seed, and on the answers."""

    def __init__(self, index: int, seed: int, base_url: str, key: str, ledger: Ledger, *, pause: float) -> None:
        self._index = index
        self._random = random.Random(f"{seed} client {index}")  # noqa: S311 - to be repeated, not to be secret
        self._url = base_url
        self._headers = {"Authorization": f"Token {key}"}
        self._ledger = ledger
        self._pause = pause
        self._count = 0

    async def work(self, stopped: asyncio.Event) -> None:
        """Send requests until told to stop."""
        async with httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=_CLIENT_SECONDS) as http:
            while not stopped.is_set():
                self._count += 1
                choice = self._random.random()
                if choice < 0.7:  # noqa: PLR2004 - shares of the load
                    await self._add(http, self._message(), stopped)
                elif choice < 0.78:  # noqa: PLR2004 - same
                    await self._add(http, self._correction(), stopped)
                else:
                    await self._read(http, choice)
                await asyncio.sleep(self._random.uniform(0, 2 * self._pause))

    def _message(self) -> Add:
        mark = self._mark()
        users = [self._user() for _ in range(2)]
        said = self._random.choice(_SENTENCES).format(mark)
        messages: list[Json] = [{"role": "user", "content": said}]
        if self._random.random() < 0.5:  # noqa: PLR2004 - every other one
            messages.append({"role": "assistant", "content": "OK."})
        body: Json = {"conversation_id": self._conversation(), "messages": messages}
        kind = self._random.random()
        if kind < 0.1 and users[0] != users[1]:  # noqa: PLR2004 - shares of the load
            body["user_id"] = users
            owners = [("user", users[0]), ("user", users[1])]
        elif kind < 0.15:  # noqa: PLR2004 - same
            body["agent_id"] = f"agent-{self._index}"
            owners = [("agent", f"agent-{self._index}")]
        else:
            body["user_id"] = users[0]
            owners = [("user", users[0])]
        if self._random.random() < 0.05:  # noqa: PLR2004 - same
            body["allow_public"] = True
            owners.append(("public", ""))
        if self._random.random() < 0.1:  # noqa: PLR2004 - same
            body["async_mode"] = False
        return Add("add/message", mark, body, tuple(owners), self._key(mark))

    def _correction(self) -> Add:
        mark, user = self._mark(), f"{self._user()}-critic"
        body: Json = {
            "user_id": user,
            "conversation_id": self._conversation(),
            "feedback_content": self._random.choice(_FEEDBACK).format(mark),
        }
        return Add("add/feedback", mark, body, (("user", user),), self._key(mark))

    async def _add(self, http: httpx.AsyncClient, add: Add, stopped: asyncio.Event) -> None:
        """Send it; with a key again after a failure, as keys are for, and now and then although it was accepted."""
        self._ledger.adds.append(add)
        headers = {} if add.key is None else {"Idempotency-Key": add.key}
        repeats = add.key is not None and self._random.random() < 0.2  # noqa: PLR2004 - shares of the load
        for _ in range(_TRIES if add.key is not None else 1):
            add.sent += 1
            answer = await self._post(http, add.route, add.body, headers)
            if answer is not None:
                add.task_ids.append(answer["data"]["task_id"])
                if not repeats:
                    return
                repeats = False
            if stopped.is_set():
                return
            await asyncio.sleep(self._random.uniform(0.2, 2.0))

    async def _read(self, http: httpx.AsyncClient, choice: float) -> None:
        if choice < 0.9:  # noqa: PLR2004 - shares of the load
            body = {"user_id": self._user(), "query": self._random.choice(_SENTENCES).format("it")}
            await self._post(http, "search/memory", body, {})
        else:
            body = {"user_id": self._user(), "conversation_id": self._conversation()}
            await self._post(http, "get/message", body, {})

    async def _post(self, http: httpx.AsyncClient, route: str, body: Json, headers: dict[str, str]) -> Json | None:
        """The answer, if it is a success. Any other one must say that the client may try again."""
        try:
            response = await http.post(f"/{route}", json=body, headers=headers)
        except httpx.HTTPError as error:
            self._ledger.answers[f"{route} {type(error).__name__}"] += 1
            return None
        self._ledger.answers[f"{route} {response.status_code}"] += 1
        if response.status_code == httpx.codes.OK:
            answer: Json = response.json()
            return answer
        if response.status_code != httpx.codes.SERVICE_UNAVAILABLE or "retry-after" not in response.headers:
            self._ledger.violations.append(
                f"{route} answered {response.status_code} instead of 503 with Retry-After "
                f"(request {response.headers.get('x-request-id')}): {response.text[:300]}"
            )
        return None

    def _mark(self) -> str:
        return "zq" + "".join(self._random.choices(string.ascii_lowercase, k=12))

    def _user(self) -> str:
        return f"user-{self._index}-{self._random.randrange(8)}"

    def _conversation(self) -> str:
        return f"c{self._count // _KEPT_IN_A_CONVERSATION}"

    def _key(self, mark: str) -> str | None:
        return f"key-{mark}" if self._random.random() < 0.6 else None  # noqa: PLR2004 - shares of the load
