"""What is exported and imported is what was there."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from memcubed.bootstrap import DatabaseUrls
from memcubed.clock import utc_now
from memcubed.errors import ConflictError, NotFoundError
from memcubed.exchange.exporting import Exporter
from memcubed.exchange.importing import Importer
from memcubed.exchange.model import LEFT_OUT, ExchangeError, travelling_tables
from memcubed.knowledge.links import LinkService
from memcubed.projects.model import Project
from memcubed.store.cubes import Cube, CubeKind
from memcubed.store.tables import metadata
from tests.conftest import StartService
from tests.knowledge.files import add, add_text, encoded, new_base, read
from tests.support.api import Api, Client, Json, eventually

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20


async def export(api: Api, project: Project, cube: Cube | None = None, *, vectors: bool = False) -> list[str]:
    return [line async for line in Exporter(api.service.database, utc_now).export(project, cube, vectors=vectors)]


async def new_project(api: Api) -> tuple[Project, Client]:
    name = f"project {uuid4().hex}"
    client = await api.client(name)
    return await api.service.projects.get_project(name), client


async def settled(api: Api) -> None:
    async def is_idle() -> bool:
        queue = (await api.service.doctor.examine()).queue
        return queue.waiting == queue.running == 0

    await eventually(is_idle)


def rows(lines: list[str]) -> dict[str, list[Json]]:
    """The rows by table, with what their rows are about in place of the ids that an import renames."""
    contents = [json.loads(line) for line in lines[1:-1]]
    names: dict[str, str] = {}
    for content in contents:
        row = content["row"]
        if content["table"] == "cubes":
            names[row["id"]] = f"cube of {row['kind']} {row['owner']}"
        elif row.get("kind") == "profile":
            names[row["id"]] = f"field {row['key']}"
        elif content["table"] in {"tasks", "profile_templates"}:
            names[row["id"]] = f"{content['table']} of {row['created_at']}"
    by_table: dict[str, list[Json]] = {}
    for content in contents:
        text = json.dumps(content["row"], ensure_ascii=False)
        for old, new in names.items():
            text = text.replace(old, new)
        by_table.setdefault(content["table"], []).append(json.loads(text))
    return {table: sorted(found, key=lambda row: json.dumps(row, sort_keys=True)) for table, found in by_table.items()}


SENTENCES = st.sampled_from(
    [
        "I live in Lyon and I love jazz.",
        "My sister's name is Élodie 🎷.",
        "我喜欢喝龙井茶，不喜欢咖啡。",
        "明天我要去广州出差。",
        'Tabs\tand "quotes" and \\ backslashes\nand lines.',
        "<|im_end|> {'json': \"no\"} \u2028",
    ]
)
CONVERSATIONS = st.lists(
    st.fixed_dictionaries(
        {
            "user_id": st.sampled_from(["ada", "bob", "用户"]),
            "conversation_id": st.sampled_from(["a", "b"]),
            "messages": st.lists(
                st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": SENTENCES}),
                min_size=1,
                max_size=4,
            ),
            "info": st.dictionaries(st.sampled_from(["scene", "rank"]), st.one_of(st.integers(0, 9), SENTENCES)),
            "allow_public": st.booleans(),
        }
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture
async def service(start: StartService) -> AsyncIterator[Api]:
    async with start() as api:
        yield api


@settings(
    max_examples=6, deadline=None, phases=(Phase.generate,), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(conversations=CONVERSATIONS, vectors=st.booleans())
async def test_an_export_of_an_import_is_the_export(service: Api, conversations: list[Json], vectors: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    project, client = await new_project(service)
    for conversation in conversations:
        await client.post("/add/message", conversation)
    await settled(service)
    exported = await export(service, project, vectors=True)
    other, _ = await new_project(service)
    carried = exported if vectors else await export(service, project)
    await Importer(service.service.database).load(other, carried)
    await service.service.doctor.examine(other.name, repair=True)
    await settled(service)
    # Without vectors only what is recalled gets new ones, as the doctor confirms.
    assert rows(await export(service, other, vectors=vectors)) == rows(carried)
    report = await service.service.doctor.examine(other.name)
    assert report.is_clean, report


async def filled(api: Api) -> tuple[Project, Client]:
    project, client = await new_project(api)
    form = {"Basic": {"City": {"value": ""}}}
    template = (await client.post("/add/profile_template", {"metadata": form}))["id"]
    await client.post("/bind/profile_template", {"bind_list": [{"user_id": "ada", "profile_template_id": template}]})
    await client.add("I live in Lyon.", user="ada", async_mode=False, chat_time="2025-06-10")
    await client.add("I keep bees.", user="bob", async_mode=False)
    await settled(api)
    return project, client


async def test_what_is_imported_is_recalled_and_goes_on_growing(service: Api) -> None:
    project, _ = await filled(service)
    other, client = await new_project(service)
    await Importer(service.service.database).load(other, await export(service, project))
    assert any("bees" in value for value in await client.values("bees", user="bob"))
    assert len(await client.messages(user="bob")) == 1
    await client.add("I moved to Nantes.", user="ada", async_mode=False)
    found = await client.search("city", user="ada", include_memory_view=["profile"])
    assert [field["memory"] for field in found["profile_detail_list"]] == ["Basic.City: Nantes"]


async def test_importing_twice_changes_nothing(service: Api) -> None:
    project, _ = await filled(service)
    other, _ = await new_project(service)
    exported = await export(service, project, vectors=True)
    await Importer(service.service.database).load(other, exported)
    once = await export(service, other, vectors=True)
    again = await Importer(service.service.database).load(other, exported)
    assert set(again.rows.values()) == {0}
    assert (await export(service, other, vectors=True))[1:] == once[1:]


async def test_into_another_database(service: Api, start: StartService, database: DatabaseUrls) -> None:
    project, _ = await filled(service)
    exported = await export(service, project, vectors=True)
    async with start(urls=database) as api:
        other, client = await new_project(api)
        await Importer(api.service.database).load(other, exported)
        assert rows(await export(api, other, vectors=True)) == rows(exported)
        assert any("bees" in value for value in await client.values("bees", user="bob"))


async def test_all_kinds_of_things_travel(service: Api) -> None:
    project, client = await filled(service)
    base = await new_base(client)
    await add_text(client, base, "The boiler is descaled every ninety days.")
    skill = "---\nname: expense-report\ndescription: How to file travel expenses.\n---\n1. Collect the receipts.\n"
    (file,) = await add(client, base, {"name": "expense.md", "type": "skill", "content": encoded(skill)})
    await read(client, file["id"])
    attached = {"type": "file", "file": {"file_data": encoded("The shed is green."), "filename": "shed.txt"}}
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded(PNG)}"}}
    said = [{"type": "text", "text": "See these."}, attached, picture]
    await client.add({"role": "user", "content": said}, user="bob", async_mode=False)
    owner, lender = await new_project(service)
    lent = await new_base(lender)
    await LinkService(service.service.database).link(owner, lent, project)
    await settled(service)

    other, client = await new_project(service)
    await Importer(service.service.database).load(other, await export(service, project))
    await service.service.doctor.examine(other.name, repair=True)
    await settled(service)
    report = await service.service.doctor.examine(other.name)
    assert report.is_clean, report
    assert any("green" in value for value in await client.values("shed", user="bob"))
    assert (await client.messages(user="bob"))[-1]["content"] == said
    found = await client.search("boiler", knowledgebase_ids=["all"], include_skill=True)
    (piece,) = found["memory_detail_list"]
    assert piece["memory_value"] == "The boiler is descaled every ninety days."
    (uploaded,) = found["skill_detail_list"]
    key = {"Authorization": f"Token {client.key}"}
    assert (await client.http.get(uploaded["skill_url"], headers=key)).text == skill
    profile = await client.search("city", user="ada", include_memory_view=["profile"])
    assert [field["memory"] for field in profile["profile_detail_list"]] == ["Basic.City: Lyon"]


async def test_one_user_alone(service: Api) -> None:
    project, _ = await filled(service)
    lines = await export(service, project, Cube(project.id, CubeKind.USER, "bob"))
    assert "bees" in "".join(lines)
    assert "Lyon" not in "".join(lines)
    other, client = await new_project(service)
    await Importer(service.service.database).load(other, lines)
    assert await client.values("bees", user="bob")
    with pytest.raises(NotFoundError, match="nobody"):
        await export(service, project, Cube(project.id, CubeKind.USER, "nobody"))


async def test_work_that_was_waiting_is_done_where_it_is_imported(start: StartService, service: Api) -> None:
    async with start(worker=False) as api:
        project, client = await new_project(api)
        await client.add("I keep bees.", user="bob")
        exported = await export(api, project)
    other, client = await new_project(service)
    await Importer(service.service.database).load(other, exported)
    await service.service.doctor.examine(other.name, repair=True)
    await settled(service)
    report = await service.service.doctor.examine(other.name)
    assert report.is_clean
    assert report.diagnoses[0].running == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: lines[1:], "Line 1"),
        (lambda lines: [lines[0].replace('"version":2', '"version":99')], "version 99"),
        (lambda lines: [lines[0], "{broken"], "Line 2 is not JSON"),
        (lambda lines: [lines[0], "[]\n"], "Line 2 is no row"),
        (lambda lines: [lines[0], lines[1].replace('"cubes"', '"secrets"')], "no table 'secrets'"),
        (lambda lines: [lines[0], lines[1].replace('"owner"', '"owned"')], "no column 'owned'"),
        (lambda lines: [lines[0], lines[1].replace('"kind":"user"', '"kind":"king"')], "Line 2"),
        (lambda lines: [*lines[:-2], lines[-2].replace('"memory_id":"', '"memory_id":"x'), lines[-1]], "Line"),
        (lambda lines: [lines[0], *lines[2:]], "cube"),
        (lambda lines: lines[:-1], "the rest is missing"),
        (lambda lines: [*lines[:-1], lines[-1][:5]], "is not JSON"),
        (lambda lines: [*lines[:-2], lines[-2][:40]], "is not JSON"),
        (lambda lines: [*lines[:-2], lines[-1]], "and the file has"),
        (lambda lines: [*lines, lines[1]], "behind the end"),
        (lambda _: [], "Line 1: the file is empty"),
    ],
)
async def test_a_broken_file_changes_nothing(service: Api, change: Any, told: str) -> None:  # noqa: ANN401 - a function
    project, _ = await filled(service)
    other, client = await new_project(service)
    exported = await export(service, project)
    with pytest.raises(ExchangeError, match=told):
        await Importer(service.service.database).load(other, change(exported))
    assert len(await export(service, other)) == 2
    assert not await client.messages(user="bob")


async def test_a_new_project_comes_with_its_rows_or_not_at_all(service: Api) -> None:
    project, _ = await filled(service)
    exported = await export(service, project)
    projects, importer = service.service.projects, Importer(service.service.database)
    planned, is_new = await projects.plan_project(f"copy of {project.name}", timezone="Asia/Shanghai")
    assert is_new
    with pytest.raises(ExchangeError, match="the rest is missing"):
        await importer.load(planned, exported[:-1], is_new=True)
    with pytest.raises(NotFoundError):
        await projects.get_project(planned.name)
    await importer.load(planned, exported, is_new=True)
    assert await projects.plan_project(planned.name, timezone="UTC") == (planned, False)
    with pytest.raises(ConflictError, match="try again"):
        await importer.load(replace(planned, id=uuid4()), exported, is_new=True)


def test_every_table_travels_or_says_why_not() -> None:
    travelling = {one.name for one in travelling_tables()}
    assert travelling | set(LEFT_OUT) == set(metadata.tables)
    assert not travelling & set(LEFT_OUT)
    assert all(LEFT_OUT.values())


async def test_nothing_of_another_project_is_exported(service: Api) -> None:
    await filled(service)
    other, _ = await new_project(service)
    assert len(await export(service, other)) == 2
