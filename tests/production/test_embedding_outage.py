"""An embeddings endpoint that is down costs vectors for a while, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

from memcubed.bootstrap import DatabaseUrls
from memcubed.providers.embeddings.scripted import HashEmbedder
from memcubed.settings import Settings
from tests.conftest import StartService
from tests.support.api import Api, Client, Json, eventually
from tests.support.databases import query
from tests.support.scripted_llm import Answer, ScriptedServer, status_answer
from tests.support.settings import llm_settings, make_settings

SAID = "I keep bees behind the barn."
UNEMBEDDED = """
    SELECT count(*) FROM memories m WHERE status = 'activated' AND NOT EXISTS (
        SELECT FROM memory_vectors v
        WHERE v.cube_id = m.cube_id AND v.memory_id = m.id AND v.space = %(space)s
    )
"""


def embedding_settings(server: ScriptedServer, **changes: object) -> Settings:
    return make_settings(embedding_base_url=server.base_url, embedding_model="scripted", **changes)


@contextmanager
def unused_port() -> Iterator[ScriptedServer]:
    """A server that is down, and comes up at the URL it says when it is started."""
    server = ScriptedServer().start()
    server.stop()
    yield server
    server.stop()


async def all_embedded(api: Api, space: str) -> None:
    async def none_is_missing() -> bool:
        return query(api.urls.owner, UNEMBEDDED, space=space) == [(0,)]

    await eventually(none_is_missing)


async def add(client: Client) -> Json:
    return await client.finished((await client.add(SAID))["task_id"])


async def test_it_may_be_down_from_the_start(start: StartService) -> None:
    with unused_port() as server:
        async with start(embedding_settings(server)) as api:
            client = await api.client()
            assert (await add(client))["status"] == "completed"
            assert any("bees" in value for value in await client.values("bees"))
            assert query(api.urls.owner, "SELECT count(*) FROM memory_vectors") == [(0,)]
            server.start()
            await all_embedded(api, "scripted@64")
            assert any("bees" in value for value in await client.values("bees"))


async def test_it_may_go_down_later(start: StartService) -> None:
    down: list[Answer] = []
    with ScriptedServer(embedding_script=lambda _: down[0] if down else None) as server:
        async with start(embedding_settings(server)) as api:
            client = await api.client()
            await client.add("I collect stamps.")
            await all_embedded(api, "scripted@64")
            down.append(status_answer(500))
            await add(client)
            assert any("bees" in value for value in await client.values("bees"))
            down.clear()
            await all_embedded(api, "scripted@64")


async def test_a_wrong_key_loses_nothing_either(start: StartService) -> None:
    with ScriptedServer(embedding_script=lambda _: status_answer(401)) as server:
        async with start(embedding_settings(server)) as api:
            client = await api.client()
            assert (await add(client))["status"] == "completed"
            assert any("bees" in value for value in await client.values("bees"))


async def test_extraction_by_a_language_model_goes_on_without_it(start: StartService) -> None:
    embedder = HashEmbedder()
    embedder.fail()
    with ScriptedServer() as llm:
        async with start(llm_settings(llm), embedder=embedder) as api:
            client = await api.client()
            done = await add(client)
            assert (done["status"], done["memory_views"]) == ("completed", {"detail_factual": {"added": 1}})
            assert any("bees" in value for value in await client.values("bees"))
            embedder.recover()
            await all_embedded(api, embedder.space)


async def test_raw_turns_of_a_failed_task_get_their_vectors_too(start: StartService) -> None:
    embedder = HashEmbedder()
    embedder.fail()
    with ScriptedServer(status_answer(401)) as llm:
        async with start(llm_settings(llm), embedder=embedder) as api:
            client = await api.client()
            assert (await add(client))["status"] == "failed"
            embedder.recover()
            await all_embedded(api, embedder.space)


async def test_many_adds_during_an_outage_are_all_made_good(start: StartService) -> None:
    embedder = HashEmbedder()
    embedder.fail()
    async with start(embedder=embedder) as api:
        client = await api.client()
        for number in range(6):
            await client.finished((await client.add(f"I own {number} boats.", conversation_id=str(number)))["task_id"])
        embedder.recover()
        await all_embedded(api, embedder.space)

        async def no_job_is_left() -> bool:
            return query(api.urls.owner, "SELECT FROM procrastinate_jobs") == []

        await eventually(no_job_is_left)


async def test_a_change_of_the_model_embeds_everything_anew_and_mixes_nothing(
    start: StartService, database: DatabaseUrls
) -> None:
    async with start(urls=database, embedder=HashEmbedder(64, space="old@1")) as api:
        client = await api.client()
        other = await api.client()
        await add(client)
        await add(other)
        await client.add("Let us see.", "Yes?")
        await all_embedded(api, "old@1")

    new = HashEmbedder(128, space="new@1")
    new.fail()
    async with start(urls=database, embedder=new, worker=False) as api:
        client = Client(api.http, client.key)
        assert any("bees" in value for value in await client.values("bees"))  # by words
        new.recover()
        # the old vectors, of another length, are not asked for: they would make the query fail
        assert any("bees" in value for value in await client.values("bees"))

    async with start(urls=database, embedder=new) as api:
        await all_embedded(api, "new@1")
        client = Client(api.http, client.key)
        assert any("bees" in value for value in await client.values("bees"))
        spaces = query(database.owner, "SELECT DISTINCT space, vector_dims(embedding) FROM memory_vectors ORDER BY 1")
        assert spaces == [("new@1", 128), ("old@1", 64)]


async def test_an_add_does_not_wait_for_vectors(start: StartService) -> None:
    embedder = HashEmbedder()
    async with start(embedder=embedder, worker=False) as api:
        client = await api.client()
        before = embedder.calls
        await client.add(SAID)
        assert embedder.calls == before
