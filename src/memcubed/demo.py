"""The main job, once, through the HTTP API: a conversation goes in, memories come out."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import typer

from memcubed import bootstrap
from memcubed.http.server import create_server, open_socket, server_started
from memcubed.settings import Settings
from memcubed.welcome import base_url

CONVERSATION: Final = (
    ("user", "我暑假定好去广州旅游，住宿的话有哪些连锁酒店可选？"),
    ("assistant", "您可以考虑【七天、全季、希尔顿】等等"),
    ("user", "我选七天"),
    ("assistant", "好的，有其他问题再问我。"),
)
QUERY: Final = "我国庆想出去玩，帮我推荐个没去过的城市，以及没住过的酒店品牌"
USER: Final = "memos_user_123"

_TIMEOUT_SECONDS: Final = 180.0
_POLL_SECONDS: Final = 0.5


def run_demo(settings: Settings) -> None:
    """Start everything in a folder of its own, run the demonstration, and leave nothing behind."""
    with _home_of_its_own(settings) as alone:
        urls = bootstrap.prepare_database(alone)
        try:
            asyncio.run(_demonstrate(bootstrap.Service(alone, urls)))
        finally:
            bootstrap.release_database(alone, urls)


@contextmanager
def _home_of_its_own(settings: Settings) -> Iterator[Settings]:
    settings.home.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="demo-", dir=settings.home))
    try:
        yield settings.model_copy(update={"home": home, "database_url": None, "migration_database_url": None})
    finally:
        shutil.rmtree(home, ignore_errors=True)
        with suppress(OSError):  # another demo or a service uses it
            settings.home.rmdir()


async def _demonstrate(service: bootstrap.Service) -> None:
    listener = open_socket("127.0.0.1", 0)
    server = create_server(bootstrap.create_http(service, with_worker=True))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server_started(server, running)
        key = await service.projects.create_key("demo", timezone=service.settings.default_timezone)
        headers = {"Authorization": f"Token {key}"}
        async with httpx.AsyncClient(base_url=base_url(listener), headers=headers, timeout=_TIMEOUT_SECONDS) as client:
            typer.echo(f"Extractor: {_describe(service.extractor.name)}\n")
            await _add(client)
            await _search(client)
    finally:
        server.should_exit = True
        await running
        listener.close()


def _describe(extractor: str) -> str:
    if extractor == "local":
        return "local (rules, no language model; set MEMCUBED_LLM_MODEL and its endpoint for real extraction)"
    return extractor


async def _add(client: httpx.AsyncClient) -> None:
    typer.echo("Conversation 0610:")
    for role, content in CONVERSATION:
        typer.echo(f"  {role}: {content}")
    body = {
        "user_id": USER,
        "conversation_id": "0610",
        "messages": [{"role": role, "content": content} for role, content in CONVERSATION],
        "async_mode": False,
    }
    data = await _post(client, "/add/message", body)
    while data["status"] == "running":
        await asyncio.sleep(_POLL_SECONDS)
        data = await _post(client, "/get/status", {"task_id": data["task_id"]})
    typer.echo(f"\nPOST /add/message: {data['status']}{_because(data)}")


def _because(data: Mapping[str, Any]) -> str:
    return f" ({data['reason']})" if data.get("reason") else ""


async def _search(client: httpx.AsyncClient) -> None:
    body = {
        "user_id": USER,
        "conversation_id": "0928",
        "query": QUERY,
        "memory_limit_number": 6,
        "include_preference": True,
        "preference_limit_number": 6,
    }
    data = await _post(client, "/search/memory", body)
    typer.echo(f"\nLater, in conversation 0928:\n  user: {QUERY}\n\nPOST /search/memory:")
    for memory in data["memory_detail_list"]:
        typer.echo(f"\n  fact [{memory['relativity']:.2f}] {memory['memory_key']}")
        typer.echo(f"    {memory['memory_value']}")
        typer.echo(f"    tags: {', '.join(memory['tags'])}")
        _show_sources(memory)
    for memory in data["preference_detail_list"]:
        typer.echo(f"\n  {memory['preference_type']} [{memory['relativity']:.2f}] {memory['preference']}")
        typer.echo(f"    because: {memory['reasoning']}")
        _show_sources(memory)
    if not data["memory_detail_list"] and not data["preference_detail_list"]:
        typer.echo("\n  nothing relevant enough")


def _show_sources(memory: Mapping[str, Any]) -> None:
    for source in memory["sources"]:
        day = datetime.fromtimestamp(source["chat_time"] / 1000, UTC).date()
        typer.echo(f"    from {memory['conversation_id']}, {day}, {source['role']}: {source['content']}")


async def _post(client: httpx.AsyncClient, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    answer = (await client.post(path, json=body)).json()
    if answer["code"] != 0:
        raise typer.Exit(_failed(path, answer))
    data: dict[str, Any] = answer["data"]
    return data


def _failed(path: str, answer: Mapping[str, Any]) -> int:
    typer.echo(f"{path} failed: {answer['message']}", err=True)
    return 1
