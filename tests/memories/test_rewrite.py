"""A memory that is changed is found by its new words and vector only, and remembers the old ones."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from memcubed.memories.model import MemoryStatus, StoredMemory, Unembedded
from memcubed.memories.rewriting import Rewrite
from memcubed.providers.embeddings.scripted import HashEmbedder
from tests.conftest import StartService
from tests.support.api import Api, Client
from tests.support.databases import query

SAID = "The budget for office software is 800 yuan."
VERSIONS = """
    SELECT version, value, reason, superseded_by FROM memory_versions WHERE memory_id = %(id)s ORDER BY version
"""


@pytest.fixture
async def alone(start: StartService) -> AsyncIterator[Api]:
    """A service without a worker, so that vectors come from the tests alone."""
    async with start(worker=False) as api:
        yield api


async def remembered(client: Client, api: Api, said: str = SAID) -> tuple[UUID, StoredMemory]:
    """The raw turn of something said, which is a memory like any other; its project and itself."""
    await client.add(said)
    found = (await client.search(said))["memory_detail_list"][0]
    project = query(api.urls.owner, "SELECT project_id FROM memories WHERE id = %(id)s", id=found["id"])[0][0]
    return project, await read(api, project, UUID(found["id"]))


async def read(api: Api, project: UUID, memory_id: UUID) -> StoredMemory:
    async with api.service.database.transaction(project) as connection:
        (memory,) = await api.service.memories.list_by_id(connection, project, [memory_id])
    return memory


async def rewrite(
    api: Api, project: UUID, memory: StoredMemory, change: Rewrite, *, reason: str = "corrected", embed: bool = True
) -> bool:
    text = change.text_to_embed(memory)
    vector = None if text is None or not embed else (await api.service.embedder.embed_documents([text]))[0]
    async with api.service.database.transaction(project) as connection:
        return await api.service.memories.rewrite(
            connection, memory, change, project_id=project, reason=reason, vector=vector
        )


def vectors(api: Api, memory: StoredMemory) -> int:
    return len(query(api.urls.owner, "SELECT FROM memory_vectors WHERE memory_id = %(id)s", id=memory.id))


async def test_new_words_take_the_place_of_the_old_and_the_old_are_kept(alone: Api) -> None:
    client = await alone.client()
    project, memory = await remembered(client, alone)
    assert await rewrite(alone, project, memory, Rewrite(value="It may cost 600 at most.", key="Ceiling"))
    after = await read(alone, project, memory.id)
    assert (after.key, after.value) == ("Ceiling", "It may cost 600 at most.")
    assert after.fingerprint != memory.fingerprint
    assert after.updated_at > memory.updated_at
    assert (after.created_at, after.sources) == (memory.created_at, memory.sources)
    row = query(
        alone.urls.owner,
        "SELECT words @@ 'ceil'::tsquery, words @@ 'budget'::tsquery, word_count FROM memories WHERE id = %(id)s",
        id=memory.id,
    )
    assert row == [(True, False, 6)]
    assert query(alone.urls.owner, VERSIONS, id=memory.id) == [
        (1, memory.value, "created", None),
        (2, "It may cost 600 at most.", "corrected", None),
    ]


async def test_the_vector_is_that_of_the_new_text(alone: Api) -> None:
    client = await alone.client()
    project, memory = await remembered(client, alone)
    for value in ("Bees live behind the barn.", "Goats live in the barn."):
        memory = await read(alone, project, memory.id)
        assert await rewrite(alone, project, memory, Rewrite(value=value))
        assert vectors(alone, memory) == 1
    (vector,) = await alone.service.embedder.embed_documents([f"{memory.key}\nGoats live in the barn."])
    near = query(
        alone.urls.owner,
        "SELECT embedding <=> %(vector)s::text::halfvec < 0.001 FROM memory_vectors WHERE memory_id = %(id)s",
        id=memory.id,
        vector=str(vector.tolist()),
    )
    assert near == [(True,)]


async def test_without_a_new_vector_it_has_none(alone: Api) -> None:
    client = await alone.client()
    project, memory = await remembered(client, alone)
    await rewrite(alone, project, memory, Rewrite(value="Bees live behind the barn."))
    memory = await read(alone, project, memory.id)
    await rewrite(alone, project, memory, Rewrite(value="Goats live in the barn."), embed=False)
    assert vectors(alone, memory) == 0


async def test_a_vector_of_the_old_text_comes_too_late(alone: Api) -> None:
    client = await alone.client()
    project, memory = await remembered(client, alone)
    memories, database = alone.service.memories, alone.service.database
    async with database.transaction(project) as connection:
        (stale,) = await memories.list_unembedded(connection, project, memory.cube_id, limit=1)
    (vector,) = await alone.service.embedder.embed_documents([stale.index_text])

    async def add_late() -> None:
        async with database.transaction(project) as connection:
            gone = Unembedded(UUID(int=1), "deleted meanwhile")
            await memories.add_vectors(connection, project, memory.cube_id, [(stale, vector), (gone, vector)])

    async with database.transaction(project) as connection:
        change = Rewrite(value="Goats live in the barn.")
        await memories.rewrite(connection, memory, change, project_id=project, reason="corrected")
        late = asyncio.create_task(add_late())
        await asyncio.wait({late}, timeout=0.2)  # it waits for this transaction, or has not begun
    await late
    assert vectors(alone, memory) == 0


async def test_a_change_of_status_alone_keeps_the_vector(alone: Api) -> None:
    client = await alone.client()
    project, memory = await remembered(client, alone)
    await rewrite(alone, project, memory, Rewrite(value="Bees live behind the barn."))
    memory = await read(alone, project, memory.id)
    by = UUID(int=7)
    change = Rewrite(status=MemoryStatus.ARCHIVED, superseded_by=by)
    assert change.text_to_embed(memory) is None
    assert await rewrite(alone, project, memory, change, reason="superseded")
    assert vectors(alone, memory) == 1
    assert await client.values("bees") == []
    superseded = "SELECT superseded_by FROM memories WHERE id = %(id)s"
    assert query(alone.urls.owner, superseded, id=memory.id) == [(by,)]

    memory = await read(alone, project, memory.id)
    assert await rewrite(alone, project, memory, Rewrite(status=MemoryStatus.ACTIVATED), reason="restored")
    assert query(alone.urls.owner, superseded, id=memory.id) == [(None,)]
    assert await client.values("bees") == ["Bees live behind the barn."]
    reasons = [(version[2], version[3]) for version in query(alone.urls.owner, VERSIONS, id=memory.id)]
    assert reasons == [("created", None), ("corrected", None), ("superseded", by), ("restored", None)]


async def test_of_two_changes_of_the_same_text_one_is_made(alone: Api) -> None:
    client = await alone.client()
    project, memory = await remembered(client, alone)
    done = await asyncio.gather(
        *[rewrite(alone, project, memory, Rewrite(value=f"Change {number}")) for number in range(4)]
    )
    assert sorted(done) == [False, False, False, True]
    assert len(query(alone.urls.owner, VERSIONS, id=memory.id)) == 2


async def test_what_is_not_there_is_not_changed(alone: Api) -> None:
    project, memory = await remembered(await alone.client(), alone)
    other, _ = await remembered(await alone.client(), alone)
    assert not await rewrite(alone, other, memory, Rewrite(value="Theirs"))
    assert (await read(alone, project, memory.id)).value == memory.value


async def test_the_embedding_job_gives_the_new_text_its_vector(start: StartService) -> None:
    embedder = HashEmbedder()
    async with start(embedder=embedder, worker=False) as api:
        client = await api.client()
        project, memory = await remembered(client, api)
        await rewrite(api, project, memory, Rewrite(value="Goats live in the barn."), embed=False)
        async with api.service.database.transaction(project) as connection:
            missing = await api.service.memories.list_unembedded(connection, project, memory.cube_id, limit=9)
        assert [one.index_text for one in missing] == [f"{memory.key}\nGoats live in the barn."]
