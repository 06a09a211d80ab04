"""How tools did over all that a cube remembers of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import JsonValue

from memcubed.memories.model import MemoryKind

Details = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HeldTool:
    """A tool memory that a cube holds; `mark` is its fingerprint."""

    id: UUID
    kind: MemoryKind
    mark: str
    value: str
    details: Details


def tools_of(details: Details) -> frozenset[str]:
    """The tools that a memory with these details tells of."""
    name = details.get("tool")
    return frozenset(_tally(details)) | ({name} if isinstance(name, str) else frozenset())


def told_again(new: Details, old: Details) -> dict[str, JsonValue]:
    """The details of a memory in place of an earlier one with the same identity: their calls count together."""
    tally, earlier = _tally(new), _tally(old)
    if not tally:
        return {**new}
    together: dict[str, JsonValue] = {
        tool: [calls + earlier.get(tool, (0, 0))[0], successes + earlier.get(tool, (0, 0))[1]]
        for tool, (calls, successes) in tally.items()
    }
    return {**new, "tally": together}


def with_rates(held: Iterable[HeldTool]) -> dict[UUID, dict[str, JsonValue]]:
    """The new details of those whose success rates are no longer what the calls in all of them come to.

    `held` are all activated memories of the tools in question. A schema has no calls of its own and shows the tool's.
    """
    memories = list(held)
    calls: Counter[str] = Counter()
    successes: Counter[str] = Counter()
    for memory in memories:
        for tool, (called, succeeded) in _tally(memory.details).items():
            calls[tool] += called
            successes[tool] += succeeded
    rates = {tool: round(successes[tool] / called, 4) for tool, called in calls.items() if called}
    changed = {}
    for memory in memories:
        used = _used(memory, rates)
        if used != memory.details.get("used"):
            changed[memory.id] = {**memory.details, "used": used}
    return changed


def _used(memory: HeldTool, rates: Mapping[str, float]) -> list[JsonValue]:
    if memory.kind is MemoryKind.TOOL_SCHEMA:
        tool = str(memory.details.get("tool"))
        rate = rates.get(tool)
        return [] if rate is None else [{"used_tool": tool, "error_type": "", "success_rate": rate}]
    used = memory.details.get("used")
    return [
        {**one, "success_rate": rates.get(str(one.get("used_tool")), one.get("success_rate"))}
        for one in (used if isinstance(used, list) else ())
        if isinstance(one, dict)
    ]


def _tally(details: Details) -> dict[str, tuple[int, int]]:
    """How often each tool was called, and how often that succeeded."""
    tally = details.get("tally")
    return {tool: (count[0], count[1]) for tool, count in tally.items()} if isinstance(tally, dict) else {}
