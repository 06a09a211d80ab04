"""Print what an ordinary add, feedback and question cost with models: `make bench-cost`.

A clean service asks scripted models on loopback, over HTTP as ever, and the questions are counted as they arrive.
Tokens are the service's own estimate, of instructions, data, the schema of the answer (which many endpoints count with
the question), and of texts to embed. Nothing of it depends on the speed of the machine, or on a model.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from benchmarks.server import clean_server
from memcubed.language.tokens import estimate_tokens
from tests.support.every_model import CONVERSATION, FORM, IMAGE, answer_everything, form_of
from tests.support.models import model_server, model_settings
from tests.support.scripted_llm import Json, RecordedRequest, ScriptedServer

_POLL_SECONDS: Final = 0.1
_QUIET_SECONDS: Final = 1.5
"""So long nothing is asked when a case is over."""

_PURPOSES: Final[Mapping[str, str]] = {
    "extractedmemories": "extraction",
    "extractedevents": "extraction (events)",
    "learnedexperience": "tool_memory",
    "filledfields": "profile",
    "feedbackanswer": "feedback",
    "rewrittenquery": "rewriting",
}

ENGLISH: Final = (
    "I have a week off in May and want to go hiking in Portugal. I prefer trains to planes.",
    "Nice! The Rota Vicentina is lovely in May. Do you want to stay in hostels or in hotels?",
    "Small guesthouses, please, and nothing above 80 euros a night. My sister Anna comes along.",
    "Then I would start in Porto Covo and end in Odeceixe: four stages, with a guesthouse in each village.",
)
CHINESE: Final = (
    "我五月有一周假期，想去云南徒步。比起飞机我更喜欢坐火车。",
    "不错！五月的虎跳峡很合适。你想住青年旅舍还是酒店？",
    "小客栈就好，一晚不要超过四百元。我妹妹小安和我一起去。",
    "那可以从丽江出发，走两天高路徒步，每晚都住在村里的客栈。",
)


@dataclass(frozen=True, slots=True)
class Row:
    """What the calls of one purpose had in them, in tokens."""

    purpose: str
    calls: int
    instructions: int
    data: int
    schema: int
    answers: int

    @property
    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        whole = self.instructions + self.data + self.schema
        return tuple(
            map(str, (self.purpose, self.calls, self.instructions, self.data, self.schema, whole, self.answers))
        )


class Asking:
    """A client that waits until what it caused is over."""

    def __init__(self, http: httpx.AsyncClient, server: ScriptedServer) -> None:
        self._http = http
        self._server = server

    async def post(self, path: str, body: Json) -> Any:  # noqa: ANN401 - JSON
        """The data of an answer."""
        response = await self._http.post(path, json=body)
        answer = response.json()
        if answer["code"] != 0:
            raise SystemExit(f"{path} answered {answer}")
        return answer["data"]

    async def add(self, messages: Sequence[Json], user: str, **more: object) -> None:
        """Add messages, and wait until they have been read."""
        await self._end(await self.post("/add/message", {"user_id": user, "messages": list(messages), **more}))

    async def feedback(self, text: str, user: str) -> None:
        """Give feedback, and wait until it took effect."""
        body = {"user_id": user, "conversation_id": "c", "feedback_content": text}
        await self._end(await self.post("/add/feedback", body))

    async def _end(self, task: Json) -> None:
        is_running = True
        while is_running:
            await asyncio.sleep(_POLL_SECONDS)
            is_running = (await self.post("/get/status", {"task_id": task["task_id"]}))["status"] == "running"

    async def rest(self) -> None:
        """Wait until nothing more is asked of the models."""
        seen = -1
        while seen != len(self._server.requests):
            seen = len(self._server.requests)
            await asyncio.sleep(_QUIET_SECONDS)


def turns(said: Sequence[str]) -> list[Json]:
    """What the user and the assistant say in turn."""
    return [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(said)]


def english(month: str) -> list[Json]:
    """Four turns that no earlier case has: the vectors of queries are kept."""
    return turns([text.replace("May", month) for text in ENGLISH])


async def _with_profile(client: Asking) -> None:
    form = await client.post("/add/profile_template", {"name": "Customer", "metadata": FORM})
    bound = {"user_id": "profile", "profile_template_id": form["id"]}
    await client.post("/bind/profile_template", {"bind_list": [bound]})
    await client.rest()
    await client.add(english("July"), "profile")


CASES: Final[Mapping[str, Callable[[Asking], Awaitable[object]]]] = {
    "add/message, 4 turns": lambda client: client.add(turns(ENGLISH), "ada"),
    "add/message, 4 turns, Chinese": lambda client: client.add(turns(CHINESE), "安"),
    "the next 4 turns of that user": lambda client: client.add(english("April"), "ada"),
    "add/message, small talk": lambda client: client.add(turns(("Hello!", "Hi, how can I help?")), "ada"),
    "4 turns, with `event`": lambda client: client.add(
        english("June"), "event", allow_memory_view=["detail_factual", "preference", "event"]
    ),
    "4 turns, with a profile": _with_profile,
    "6 turns, with a tool call": lambda client: client.add(CONVERSATION, "tool"),
    "an image": lambda client: client.add([{"role": "user", "content": [IMAGE]}], "image"),
    "40 turns": lambda client: client.add(turns(ENGLISH * 10), "long"),
    "add/feedback": lambda client: client.feedback("No, not above 60 euros a night.", "ada"),
    "search/memory": lambda client: client.post("/search/memory", {"user_id": "ada", "query": "Where to stay?"}),
    "chat": lambda client: client.post(
        "/chat",
        {"user_id": "ada", "conversation_id": "d", "query": "How do I travel?", "add_message_on_answer": False},
    ),
}


def rows_of(requests: Sequence[RecordedRequest]) -> list[Row]:
    """What was asked, by purpose."""
    found: dict[str, Row] = {}
    for request in requests:
        one = _embedded(request.body) if request.path.endswith("/embeddings") else _asked(request.body)
        sum_ = found.get(one.purpose, Row(one.purpose, 0, 0, 0, 0, 0))
        found[one.purpose] = Row(
            one.purpose,
            sum_.calls + 1,
            sum_.instructions + one.instructions,
            sum_.data + one.data,
            sum_.schema + one.schema,
            sum_.answers + one.answers,
        )
    return list(found.values())


def _embedded(body: Json) -> Row:
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    return Row("embedding", 1, 0, sum(estimate_tokens(str(text)) for text in texts), 0, 0)


def _asked(body: Json) -> Row:
    form = form_of(body)
    system = sum(estimate_tokens(str(one["content"])) for one in body["messages"] if one["role"] == "system")
    shown = [one["content"] for one in body["messages"] if one["role"] != "system"]
    data = sum(estimate_tokens(text) for text in shown if isinstance(text, str))  # what an image costs depends
    schema = (body.get("response_format") or {}).get("json_schema")
    answer = answer_everything(body).text or ""
    return Row(
        _PURPOSES.get(form, form),
        1,
        system,
        data,
        0 if schema is None else estimate_tokens(json.dumps(schema["schema"])),
        estimate_tokens(answer),
    )


async def measure(url: str, key: str, server: ScriptedServer) -> None:
    """Run each case, and print its rows."""
    print("| | purpose | calls | instructions | data | schema | input tokens | answers |")
    print("|---|---|---|---|---|---|---|---|")
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Token {key}"}, timeout=120) as http:
        client = Asking(http, server)
        await client.rest()
        for name, run in CASES.items():
            before = len(server.requests)
            await run(client)
            await client.rest()
            for number, row in enumerate(rows_of(server.requests[before:]) or [Row("none", 0, 0, 0, 0, 0)]):
                print(f"| {'' if number else name} | " + " | ".join(row.cells) + " |", flush=True)


def main() -> None:
    """Start a service and measure."""
    with model_server(answer_everything) as server:
        settings = {**model_settings(server), "vision_model": "scripted", "query_rewrite": True}
        environment = {f"MEMCUBED_{name.upper()}": str(value) for name, value in settings.items()}
        with clean_server(environment=environment) as running:
            asyncio.run(measure(running.url, running.key, server))


if __name__ == "__main__":
    main()
