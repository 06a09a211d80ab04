"""For every route, the calls of it that name what belongs to another project.

A call is a dict of what httpx takes: `json`, `params`, `files`, `headers`, and `path` for the route's path.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from hypothesis import strategies as st

from memcubed.http.app import BASE_PATH
from memcubed.memories.model import MemoryView
from tests.isolation.world import FORM, SHARED_AGENT, SHARED_USER, Ours, Theirs
from tests.knowledge.files import encoded

Strategy = st.SearchStrategy[Any]
Route = tuple[str, str]


class Effect(StrEnum):
    """What a route does when it is called with a project's key."""

    READS = "reads"
    """It changes nothing that is seen later: its answer is compared whole."""
    WRITES = "writes"
    REFUSES = "refuses"
    """It is not for keys of projects."""
    OPEN = "open"
    """It asks for no key, and tells of no project."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a route is called."""

    effect: Effect
    calls: Strategy
    made: str | None = None
    """A field that is made anew for each answer."""


UUID_KINDS: Final = ("memory", "task", "base", "file", "skill", "template", "message", "cube", "key", "project")
NUMBERS: Final = st.integers(0, 50)


def theirs(kind: str) -> Strategy:
    """An id of the other project, seldom one of another kind of thing."""
    right = st.builds(Theirs, st.just(kind), NUMBERS)
    return st.one_of(right, right, st.builds(Theirs, st.sampled_from(UUID_KINDS), NUMBERS))


def among_ours(kind: str) -> Strategy:
    """A list of ids with one of the other project's, and perhaps some of our own."""
    own = st.lists(st.builds(Ours, st.just(kind), NUMBERS), max_size=2)
    return st.tuples(theirs(kind), own).flatmap(lambda both: st.permutations([both[0], *both[1]]))


def fields(required: Mapping[str, Strategy] | None = None, /, **optional: Strategy) -> Strategy:
    """A JSON object."""
    return st.fixed_dictionaries(dict(required or {}), optional=optional)


def json_of(required: Mapping[str, Strategy] | None = None, /, **optional: Strategy) -> Strategy:
    """A call with a JSON body."""
    return st.fixed_dictionaries({"json": fields(required, **optional)})


FLAG: Final = st.booleans()
USER: Final = st.sampled_from([Theirs("user"), SHARED_USER])
AGENT: Final = st.sampled_from([Theirs("agent"), SHARED_AGENT])
CONVERSATION: Final = st.sampled_from([Theirs("conversation"), "default"])
OWNER: Final = st.one_of(
    fields({"user_id": USER}), fields({"agent_id": AGENT}), fields({"user_id": USER, "agent_id": AGENT})
)
WORDS: Final = st.sampled_from(["The harbour gate code is", "harbour gate", "opens gates", "海港", "u"])
VIEWS: Final = st.lists(st.sampled_from(list(MemoryView)), min_size=1, max_size=6, unique=True)
# What only the other project's memories meet.
THEIR_LEAF: Final = st.one_of(
    fields({"agent_id": st.just(Theirs("agent"))}),
    fields({"related_id": st.lists(st.just(Theirs("user")), min_size=1, max_size=2)}),
    fields({"app_id": st.just(Theirs("app"))}),
    fields({"conversation_id": st.just(Theirs("conversation"))}),
    fields({"tags": fields({"contains": st.just(Theirs("tag"))})}),
    fields({"scene": st.just(Theirs("scene"))}),
    fields({"scene": fields({"contains": st.just(Theirs("scene"))})}),
)
ANY_LEAF: Final = st.one_of(
    THEIR_LEAF,
    fields({"create_time": fields({"gte": st.just("2020-01-01")})}),
    fields({"source_role": st.sampled_from(["user", "assistant", "tool", "document"])}),
    fields({"gate": fields({"gte": st.just(0)})}),
    fields({"project_id": st.just(Theirs("project"))}),
    fields({"cube_id": st.builds(Theirs, st.just("cube"), NUMBERS)}),
)
FILTER: Final = st.one_of(
    ANY_LEAF,
    fields({"or": st.lists(ANY_LEAF, min_size=1, max_size=3)}),
    fields({"and": st.lists(ANY_LEAF, min_size=1, max_size=2)}),
    st.dictionaries(st.sampled_from(["user", "agent", "public", "knowledgebase"]), ANY_LEAF, min_size=1, max_size=4),
)
THEIR_FILTER: Final = st.one_of(
    THEIR_LEAF,
    fields({"or": st.lists(THEIR_LEAF, min_size=1, max_size=3)}),
    st.tuples(THEIR_LEAF, ANY_LEAF).map(lambda both: {"and": list(both)}),
)
BASES: Final = st.one_of(st.just(["all"]), among_ours("base"), st.just([Ours("base")]))
RECALL: Final[Mapping[str, Strategy]] = {
    "conversation_id": CONVERSATION,
    "relativity": st.just(0),
    "memory_limit_number": st.just(25),
    "include_preference": FLAG,
    "include_tool_memory": FLAG,
    "include_skill": FLAG,
    "include_memory_view": VIEWS,
    "filter": FILTER,
    "knowledgebase_ids": BASES,
    "trace": FLAG,
}
TOLD: Final[Mapping[str, Strategy]] = {
    "conversation_id": CONVERSATION,
    "app_id": st.just(Theirs("app")),
    "allow_public": FLAG,
    "allow_knowledgebase_ids": BASES,
}
MESSAGES: Final = st.lists(
    fields({"role": st.sampled_from(["user", "assistant"]), "content": WORDS}, role_id=USER), min_size=1, max_size=2
)
TEMPLATE: Final = theirs("template")
PROFILE: Final = st.one_of(
    fields({"user_id": USER, "profile_template_id": TEMPLATE}),
    fields({"agent_id": AGENT, "profile_template_id": TEMPLATE}),
    # our template, for somebody whom only they know
    fields({"user_id": st.just(Theirs("user", 0)), "profile_template_id": st.just(Ours("template"))}),
)
NAMED: Final = st.just({"Basic": {"City": {"value": "Lyon"}, "Gate": {"value": ""}}})
PROJECT: Final = st.builds(Theirs, st.just("project"))
NOTHING: Final = Recipe(Effect.OPEN, st.fixed_dictionaries({"params": fields({"project": PROJECT}, q=WORDS)}))


def merged(*parts: Strategy) -> Strategy:
    """A JSON body of these objects together."""
    return st.tuples(*parts).map(
        lambda found: {"json": {name: value for part in found for name, value in part.items()}}
    )


def refused(*names: str, **body: Strategy) -> Recipe:
    """A route for admin keys, whose path has these ids."""
    path = {name: theirs(name.removesuffix("_id")) for name in names}
    return Recipe(
        Effect.REFUSES,
        st.fixed_dictionaries(
            {"path": fields(path), "params": fields({"project_id": PROJECT, "project": PROJECT})},
            optional={"json": fields(body)} if body else {},
        ),
    )


def reads(calls: Strategy) -> Recipe:
    """A route that only reads."""
    return Recipe(Effect.READS, calls)


def writes(calls: Strategy) -> Recipe:
    """A route that changes something."""
    return Recipe(Effect.WRITES, calls)


CONTRACT: Final[Mapping[Route, Recipe]] = {
    ("POST", "/add/message"): writes(
        merged(
            OWNER,
            fields(
                {"messages": MESSAGES},
                **TOLD,
                tags=st.just([Theirs("tag")]),
                info=fields(scene=st.just(Theirs("scene"))),
            ),
        )
    ),
    ("POST", "/get/message"): reads(json_of({"user_id": USER, "conversation_id": CONVERSATION})),
    ("POST", "/get/status"): reads(json_of({"task_id": theirs("task")})),
    ("POST", "/extract/memory"): reads(json_of({"messages": MESSAGES}, user_id=USER)),
    ("POST", "/search/memory"): reads(merged(OWNER, fields({"query": WORDS}, **RECALL))),
    ("POST", "/rerank"): Recipe(
        Effect.READS,
        json_of({"query": WORDS, "documents": st.lists(WORDS, min_size=1, max_size=3)}, user_id=USER),
        made="id",
    ),
    ("POST", "/chat"): writes(
        merged(
            fields({"user_id": USER, "query": WORDS, "conversation_id": CONVERSATION}, agent_id=AGENT, stream=FLAG),
            fields(**{name: found for name, found in RECALL.items() if name != "conversation_id"}),
            fields(**{name: found for name, found in TOLD.items() if name != "conversation_id"}),
        )
    ),
    ("POST", "/add/profile_template"): writes(
        json_of({"name": WORDS, "metadata": st.just(FORM)}, profile_template_id=TEMPLATE)
    ),
    ("POST", "/get/profile_template"): reads(json_of({"profile_template_id": TEMPLATE})),
    ("POST", "/list/profile_template"): reads(json_of(page=st.integers(1, 3), size=st.integers(1, 3))),
    ("POST", "/update/profile_template"): writes(
        json_of({"profile_template_id": TEMPLATE, "name": WORDS}, metadata=NAMED)
    ),
    ("POST", "/delete/profile_template"): writes(json_of({"profile_template_id": TEMPLATE})),
    ("POST", "/bind/profile_template"): writes(json_of({"bind_list": st.lists(PROFILE, min_size=1, max_size=2)})),
    ("POST", "/edit/profile"): writes(merged(PROFILE, fields({"metadata": NAMED}))),
    ("POST", "/delete/profile"): writes(merged(PROFILE)),
    ("POST", "/get/memory"): reads(
        merged(
            OWNER,
            fields(
                page=st.integers(1, 3),
                size=st.integers(1, 50),
                include_memory_view=VIEWS,
                filter=FILTER,
                status=st.sampled_from(["activated", "archived"]),
            ),
        )
    ),
    ("GET", "/get/memory/{memory_id}"): reads(
        st.fixed_dictionaries({"path": fields({"memory_id": theirs("memory")}), "params": fields(history=FLAG)})
    ),
    ("POST", "/update/memory"): writes(
        json_of({"memory_id": theirs("memory"), "content": WORDS}, title=WORDS, status=st.sampled_from(["archived"]))
    ),
    ("POST", "/delete/memory"): writes(
        merged(
            st.one_of(
                fields({"memory_ids": among_ours("memory")}),
                fields({"user_id": st.just(Theirs("user"))}),
                fields({"agent_id": st.just(Theirs("agent"))}),
                fields({"filter": THEIR_FILTER}),
            ),
            fields(memory_type=st.sampled_from(["preference", "detail_factual"])),
        )
    ),
    ("POST", "/add/feedback"): writes(merged(OWNER, fields({"feedback_content": WORDS}, **TOLD))),
    ("POST", "/create/knowledgebase"): writes(json_of({"knowledgebase_name": WORDS}, knowledgebase_id=theirs("base"))),
    ("POST", "/delete/knowledgebase"): writes(json_of({"knowledgebase_id": theirs("base")})),
    ("POST", "/add/knowledgebase-file"): writes(
        st.one_of(
            json_of(
                {
                    "knowledgebase_id": theirs("base"),
                    "file": st.just([{"name": "a.txt", "content": encoded("Gates open at noon.")}]),
                }
            ),
            st.fixed_dictionaries(
                {
                    "params": fields({"knowledgebase_id": theirs("base")}, type=st.just("document")),
                    "files": st.just({"file": ("a.txt", b"Gates open at noon.")}),
                }
            ),
        )
    ),
    ("POST", "/get/knowledgebase-file"): reads(
        st.one_of(
            json_of({"file_ids": among_ours("file")}),
            json_of({"knowledgebase_id": theirs("base")}, type=st.sampled_from(["document", "skill"])),
        )
    ),
    ("POST", "/delete/knowledgebase-file"): writes(json_of({"file_ids": among_ours("file")})),
    ("GET", "/download/skill/{skill_id}"): reads(
        st.fixed_dictionaries({"path": fields({"skill_id": theirs("skill")})})
    ),
}

OUTSIDE: Final[Mapping[Route, Recipe]] = {
    ("GET", "/admin/projects"): refused(),
    ("POST", "/admin/projects"): refused(name=WORDS),
    ("GET", "/admin/projects/{project_id}"): refused("project_id"),
    ("PATCH", "/admin/projects/{project_id}"): refused("project_id", name=WORDS),
    ("DELETE", "/admin/projects/{project_id}"): refused("project_id"),
    ("GET", "/admin/projects/{project_id}/keys"): refused("project_id"),
    ("POST", "/admin/projects/{project_id}/keys"): refused("project_id", name=WORDS),
    ("DELETE", "/admin/projects/{project_id}/keys/{key_id}"): refused("project_id", "key_id"),
    ("GET", "/admin/usage"): refused(),
    ("GET", "/admin/projects/{project_id}/tasks/{task_id}/usage"): refused("project_id", "task_id"),
    ("GET", "/admin/doctor"): refused(),
    **{
        ("GET", path): NOTHING
        for path in (
            "/docs",
            "/docs/oauth2-redirect",
            "/health",
            "/health/live",
            "/health/ready",
            "/metrics",
            "/openapi.json",
            "/redoc",
            "/static-offline-docs",
            f"{BASE_PATH}/ping",
            f"{BASE_PATH}/v1/ping",
        )
    },
}

RECIPES: Final[Mapping[Route, Recipe]] = {
    **{(method, f"{BASE_PATH}{path}"): recipe for (method, path), recipe in CONTRACT.items()},
    **OUTSIDE,
}
"""By method and path."""
