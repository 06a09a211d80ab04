"""Two projects with memories of every kind, and what of one the other's key is made to name."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from memcubed.memories.model import MemoryKind
from memcubed.projects.model import Project
from memcubed.store.cubes import CubeKind
from tests.knowledge.files import add, add_text, encoded, new_base
from tests.support.api import Api, Client, Json, eventually
from tests.support.databases import query
from tests.support.sample_memories import new_memory, settle

MARK: Final = "kumquatbee"
"""In every text of the other project, and in nothing that is sent with our key."""

SECRET: Final = "The harbour gate code is {mark}"
"""What both projects remember, but for the mark: a search for it would find the other's if it could."""

SHARED_USER: Final = "ada"
SHARED_AGENT: Final = "bot"
NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "user": ("zoe-theirs", "zoe-nobody"),
    "agent": ("bot-theirs", "bot-nobody"),
    "conversation": ("talk-theirs", "talk-nobody"),
    "app": ("app-theirs", "app-nobody"),
    "tag": ("tag-theirs", "tag-nobody"),
    "scene": ("scene-theirs", "scene-nobody"),
}
"""What only the other project has, beside what nobody has; of one length, so that answers are too."""

FORM: Final = {"Basic": {"City": {"value": ""}, "Gate": {"value": ""}}}
SKILL: Final = "---\nname: gates\ndescription: Opens {mark} gates.\n---\n# Steps\n\n1. {secret}.\n"
_GATE_TOOL: Final = {"type": "function", "function": {"name": "gate_open", "parameters": {"type": "object"}}}
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

# One row of text for each row of a project, wherever there are any.
_TABLES: Final = """
    SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'project_id'
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Theirs:
    """An id or a name of the other project, in a body that is not sent yet."""

    kind: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class Ours:
    """An id of the project whose key is used, in a body that is not sent yet."""

    kind: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class Ids:
    """What takes the place of `Theirs`: real ids of the other project, or ones that nobody has."""

    by_kind: Mapping[str, Sequence[str]]

    def render(self, value: object, ours: "Ids") -> Any:  # noqa: ANN401 - JSON
        """The body as it is sent."""
        match value:
            case Theirs(kind, index):
                return self.find(kind, index)
            case Ours(kind, index):
                return ours.find(kind, index)
            case dict():
                return {key: self.render(item, ours) for key, item in value.items()}
            case list():
                return [self.render(item, ours) for item in value]
            case _:
                return value

    def find(self, kind: str, index: int) -> str:
        """One of a kind."""
        known = self.by_kind[kind]
        return known[index % len(known)]

    def hide(self, text: str) -> str:
        """A text without them, to compare it with another."""
        for kind, values in self.by_kind.items():
            for index, value in enumerate(values):
                text = text.replace(value, f"<{kind} {index}>")
        return text


@dataclass(frozen=True, slots=True)
class Side:
    """A project with its key."""

    client: Client
    project: Project

    @property
    def project_id(self) -> UUID:
        """The project's id."""
        return self.project.id


@dataclass(frozen=True, slots=True)
class World:
    """The other project as it was before anything was tried."""

    api: Api
    theirs: Side
    ids: Ids
    unknown: Ids
    every_id: frozenset[str]
    rows: Mapping[str, str]

    def assert_untouched(self) -> None:
        """Nothing of the other project was read into another's rows, changed, added or deleted."""
        assert rows_of(self.api, self.theirs.project_id) == self.rows

    def assert_tells_nothing(self, shown: str, sent: str) -> None:
        """No text and no id of the other project is in an answer, but for ids that were sent."""
        assert MARK not in shown
        assert set(_UUID.findall(shown)) & self.every_id <= set(_UUID.findall(sent))


def rows_of(api: Api, project_id: UUID) -> dict[str, str]:
    """A digest of a project's rows by table, but for what says when its keys were used."""
    tables = [row[0] for row in query(api.urls.owner, _TABLES)]
    left_out = {"api_keys": "- 'last_used_at'"}
    parts = [
        f"SELECT '{table}', coalesce(md5(string_agg(row, ',' ORDER BY row)), '') FROM"
        f" (SELECT (to_jsonb(t) {left_out.get(table, '')})::text AS row FROM {table} t"
        " WHERE project_id = %(project)s) rows"
        for table in tables
        if table != "project_rates"
    ]
    return dict(query(api.urls.owner, " UNION ALL ".join(parts), project=project_id))


async def is_idle(api: Api) -> bool:
    """Whether every job that was promised has been done."""
    (row,) = query(api.urls.owner, "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")
    return bool(row[0] == 0)


async def fill(api: Api, mark: str, *, names: Mapping[str, str]) -> Side:
    """A project with memories of every kind and what else it takes for ids of all sorts, but for files."""
    name = f"isolated {uuid4().hex}"
    client = await api.client(name)
    side = Side(client, await api.service.projects.get_project(name))
    secret = SECRET.format(mark=mark)
    told: Json = {
        "conversation_id": names["conversation"],
        "app_id": names["app"],
        "tags": [names["tag"]],
        "info": {"scene": names["scene"], "gate": 7},
    }
    await client.add(secret, f"Noted: {secret}.", user=SHARED_USER, agent_id=SHARED_AGENT, allow_public=True, **told)
    await settle(api, client, *(new_memory(f"{secret} ({kind})", kind) for kind in MemoryKind), owner=SHARED_USER)
    await settle(api, client, new_memory(f"{secret} (agent)"), owner=SHARED_AGENT, kind=CubeKind.AGENT)
    template = (await client.post("/add/profile_template", {"name": f"Form {mark}", "metadata": FORM}))["id"]
    await bind(client, template, SHARED_USER, secret)
    base = await new_base(client, f"Rules {mark}")
    await settle(api, client, new_memory(f"{secret} (base)"), owner=base, kind=CubeKind.KNOWLEDGE_BASE)
    return side


async def bind(client: Client, template: str, user: str, value: str) -> None:
    """Give a user a profile that says something."""
    named = {"user_id": user, "profile_template_id": template}
    await client.post("/bind/profile_template", {"bind_list": [named]})
    await client.post("/edit/profile", {**named, "metadata": {"Basic": {"Gate": {"value": value}}}})


async def fill_with_more(api: Api, mark: str, *, names: Mapping[str, str]) -> Side:
    """The same with users and agents of its own, files, tool calls, feedback and what was recalled."""
    side = await fill(api, mark, names=names)
    client, secret, user, agent = side.client, SECRET.format(mark=mark), names["user"], names["agent"]
    ids = ids_of(api, side.project_id)
    said = f"I keep it that {secret}."
    await client.add(said, "Noted.", user=user, agent_id=agent, conversation_id=names["conversation"])
    await settle(api, client, *(new_memory(f"{secret} ({kind}, own)", kind) for kind in MemoryKind), owner=user)
    await settle(api, client, new_memory(f"{secret} (own agent)"), owner=agent, kind=CubeKind.AGENT)
    await bind(client, ids["template"][0], user, secret)
    opened = {"name": "gate_open", "arguments": json.dumps({"code": mark})}
    await client.add(
        "Open the gate.",
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": opened}]},
        {"role": "tool", "tool_call_id": "c", "content": f"Gate {mark} is open."},
        user=SHARED_USER,
        tools=[_GATE_TOOL],
    )
    await client.post("/add/feedback", {"user_id": user, "feedback_content": f"No, {secret}, not 800."})
    await add_text(client, ids["base"][0], f"# Gates\n\n{secret}.", f"{mark}.md")
    skill = SKILL.format(mark=mark, secret=secret)
    await add(client, ids["base"][0], {"name": "SKILL.md", "type": "skill", "content": encoded(skill)})
    await client.search("harbour gate", user=user, conversation_id=names["conversation"])
    return side


async def build(api: Api) -> World:
    """The other project, complete and at rest."""
    theirs = await fill_with_more(api, MARK, names={kind: pair[0] for kind, pair in NAMES.items()})
    await at_rest(api)
    ids = Ids({**ids_of(api, theirs.project_id), **{kind: (pair[0],) for kind, pair in NAMES.items()}})
    nobodys = dict(NAMES.values())
    unknown = {kind: tuple(nobodys.get(id_) or _neighbour(id_) for id_ in known) for kind, known in ids.by_kind.items()}
    assert all(unknown.values()), ids
    dumped = query(api.urls.owner, " UNION ALL ".join(_dump(table) for table in _names(api)), project=theirs.project_id)
    every_id = frozenset(found for row in dumped for found in _UUID.findall(row[0]))
    return World(api, theirs, ids, Ids(unknown), every_id, rows_of(api, theirs.project_id))


async def at_rest(api: Api) -> None:
    """Wait until nothing is being done any more."""
    await eventually(lambda: is_idle(api))
    await api.service.recalled.drain()
    await api.service.usage.write()


def _neighbour(id_: str) -> str:
    """An id that nobody has, which sorts as the other does."""
    return id_[:-1] + ("e" if id_[-1] == "f" else "f")


def _names(api: Api) -> list[str]:
    return [row[0] for row in query(api.urls.owner, _TABLES)]


def _dump(table: str) -> str:
    return f"SELECT to_jsonb(t)::text FROM {table} t WHERE project_id = %(project)s"


def ids_of(api: Api, project_id: UUID) -> dict[str, Sequence[str]]:
    sources = {
        "memory": "SELECT id FROM memories WHERE project_id = %(project)s ORDER BY kind, id",
        "task": "SELECT id FROM tasks WHERE project_id = %(project)s",
        "base": "SELECT id FROM knowledge_bases WHERE project_id = %(project)s",
        "file": "SELECT id FROM knowledge_files WHERE project_id = %(project)s",
        "skill": "SELECT id FROM memories WHERE project_id = %(project)s AND kind = 'skill'",
        "template": "SELECT id FROM profile_templates WHERE project_id = %(project)s",
        "message": "SELECT id FROM messages WHERE project_id = %(project)s",
        "cube": "SELECT id FROM cubes WHERE project_id = %(project)s",
        "key": "SELECT id FROM api_keys WHERE project_id = %(project)s",
        "project": "SELECT id FROM projects WHERE id = %(project)s",
    }
    return {
        kind: tuple(str(row[0]) for row in query(api.urls.owner, source, project=project_id))
        for kind, source in sources.items()
    }
