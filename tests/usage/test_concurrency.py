"""Calls at once are bounded over all processes, of whatever kind they are, and a process that dies leaves its place."""

import asyncio
from pathlib import Path

from memcubed.bootstrap import DatabaseUrls
from tests.conftest import StartService
from tests.support.api import Client, eventually
from tests.support.every_model import IMAGE, answer_everything, form_of
from tests.support.process import database_settings, environment, new_key, serving
from tests.support.scripted_llm import ScriptedServer, after
from tests.support.settings import llm_settings

SAID = "I moved to Lisbon last month."


async def test_chats_images_and_rewriting_share_the_places_with_extraction(start: StartService) -> None:
    with ScriptedServer(lambda request: after(0.05, answer_everything(request))) as server:
        settings = llm_settings(server, llm_total_concurrency=2, vision_model="eyes", query_rewrite=True)
        async with start(settings) as one, start(settings, urls=one.urls) as two:
            key = (await one.client()).key
            headers = {"Authorization": f"Token {key}"}
            clients = [Client(api.http, key) for api in (one, two)]
            for client in clients:  # a first search reads what is shipped with the service
                await client.search("Where do I live?", user="nobody")
            asked = []
            for number in range(4):
                client, user = clients[number % 2], f"user {number}"
                chat = {"user_id": user, "conversation_id": "c", "query": SAID, "add_message_on_answer": False}
                asked += [
                    client.add(SAID, user=user),
                    client.add({"role": "user", "content": [IMAGE]}, user=user),
                    client.search(f"What of {number}?", user=user),
                    client.http.post("/chat", json={**chat, "stream": True}, headers=headers),
                    client.post("/chat", chat),
                ]
            answers = await asyncio.gather(*asked)
            for answer in answers:
                if isinstance(answer, dict) and "task_id" in answer:
                    await clients[0].finished(answer["task_id"])
            assert {form_of(chat) for chat in server.chats} == {"extractedmemories", "vision", "chat", "rewrittenquery"}
            assert server.most_in_flight == 2


async def test_a_killed_process_leaves_its_place(tmp_path: Path, database: DatabaseUrls) -> None:
    with ScriptedServer(lambda request: after(120, answer_everything(request))) as server:
        env = environment(
            tmp_path,
            llm_base_url=server.base_url,
            llm_model="scripted",
            llm_total_concurrency=1,
            **database_settings(database),
        )
        key = await new_key(env)
        chat = {"user_id": "u", "conversation_id": "c", "query": SAID}
        async with (
            serving(tmp_path, env, name="first") as (first, http),
            serving(tmp_path, env, "--no-worker", name="second") as (_, other),
        ):
            await Client(http, key).add(SAID)

            async def is_asked() -> bool:
                return len(server.chats) == 1

            await eventually(is_asked)
            server.answer_with(answer_everything)
            waiting = asyncio.create_task(Client(other, key).post("/chat", chat))
            done, _pending = await asyncio.wait({waiting}, timeout=1)
            assert not done, "the only place is taken"
            first.kill()
            assert (await waiting)["response"] == "You live in Lisbon."
