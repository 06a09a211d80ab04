"""Where a search looks: which cubes, and what counts of each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from memcubed.filters import Condition, Filters
from memcubed.knowledge.model import KnowledgeBase
from memcubed.recall.schemas import SearchRequest
from memcubed.store.cubes import Cube, CubeKind, public_cube


@dataclass(frozen=True, slots=True)
class SearchedCube:
    """A cube that is searched, and what its memories must meet to be seen at all; None: nothing."""

    id: UUID
    condition: Condition | None = None


def searched_cubes(
    project_id: UUID, request: SearchRequest, filters: Filters, bases: Iterable[KnowledgeBase]
) -> Mapping[UUID, list[SearchedCube]]:
    """By the project whose they are: the user's cube, the agent's, the public one, and those of the knowledge bases.

    Each has the filter's condition for its kind. The nearest comes first: what several of them remember of one
    conversation is told by the first. Of other projects than the request's there are those cubes alone that `bases`
    names, which the caller has found linked to it.
    """
    cubes = [*owner_cubes(project_id, request), public_cube(project_id)]
    by_project: dict[UUID, list[SearchedCube]] = {}
    for cube in (*cubes, *(base.cube for base in bases)):
        by_project.setdefault(cube.project_id, []).append(SearchedCube(cube.id, filters.of(cube.kind)))
    return by_project


def owner_cubes(project_id: UUID, request: SearchRequest) -> list[Cube]:
    """The cubes of those who ask: the user's, the agent's or both."""
    cubes = []
    if request.user_id is not None:
        cubes.append(Cube(project_id, CubeKind.USER, request.user_id))
    if request.agent_id is not None:
        cubes.append(Cube(project_id, CubeKind.AGENT, request.agent_id))
    return cubes
