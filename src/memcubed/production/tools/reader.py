"""Reads tool memories out of messages, beside whichever extractor reads the rest."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from pydantic import JsonValue

from memcubed.errors import ProviderError
from memcubed.language.detect import Language, detect
from memcubed.memories.model import MemoryKind
from memcubed.messages.model import Role
from memcubed.production.model import Draft, Extraction, ExtractionRequest
from memcubed.production.tools import wording
from memcubed.production.tools.definitions import Definition, find_definitions
from memcubed.production.tools.experience import Experience, ask_experience
from memcubed.production.tools.trajectories import Trajectory, find_trajectories
from memcubed.providers.llm.protocol import LanguageModel
from memcubed.usage.attribution import TOOL_MEMORY, purposed
from memcubed.usage.model import Usage

log = structlog.get_logger(__name__)


class ToolReader:
    """What tools there are, and how calls of them went.

    Rules find both. A language model, when there is one, says what was learned of a call; without it, or when it
    fails, that is a line which tells no more than how the call ended.
    """

    def __init__(self, model: LanguageModel | None = None) -> None:
        self._model = model

    async def read(self, request: ExtractionRequest) -> Extraction:
        """The tool memories of the request's turns, of the kinds that are asked for. Never fails."""
        drafts: list[Draft] = []
        usage = Usage()
        trajectories = await asyncio.to_thread(find_trajectories, request)
        language = wording.language_of(trajectories, _language(request))
        if MemoryKind.TOOL_SCHEMA in request.kinds:
            definitions = await asyncio.to_thread(find_definitions, request)
            drafts += [_schema_draft(definition, request, trajectories) for definition in definitions]
        if MemoryKind.TOOL_TRAJECTORY in request.kinds:
            for trajectory in trajectories:
                learned, cost = await self._learn(trajectory, language)
                usage += cost
                drafts.append(_trajectory_draft(trajectory, request, learned, language))
        return Extraction(tuple(drafts), None if drafts else "No tool was defined or called.", usage)

    async def _learn(self, trajectory: Trajectory, language: Language) -> tuple[Experience, Usage]:
        if self._model is not None:
            try:
                with purposed(TOOL_MEMORY):
                    return await ask_experience(self._model, trajectory, language)
            except ProviderError as error:
                log.warning("tool_experience_not_asked", reason=error.message)
        tools = {step.call.name: wording.experience_of(step, language) for step in trajectory.steps}
        return Experience(wording.experience(trajectory, language), tools), Usage()


def _language(request: ExtractionRequest) -> Language:
    return detect("\n".join(turn.content for turn in request.turns if turn.role in {Role.USER, Role.ASSISTANT}))


def _schema_draft(definition: Definition, request: ExtractionRequest, trajectories: Sequence[Trajectory]) -> Draft:
    uses = [one for one in trajectories if any(step.call.name == definition.name for step in one.steps)]
    asked = next((question for one in uses if (question := wording.question_of(one))), "")
    used_by = uses[0].turns if uses else request.turns
    new = {turn.message_id for turn in request.turns}
    source = definition.source or next(turn.message_id for turn in used_by if turn.message_id in new)
    return Draft(
        kind=MemoryKind.TOOL_SCHEMA,
        key=definition.name,
        value=definition.text,
        source_ids=(source,),
        # With a question that it answered: a definition alone hardly says what it can be of use for.
        index_text=f"{definition.told}\n{asked}" if asked else definition.told,
        details={"tool": definition.name, "used": [], "experience": ""},
        identity=definition.name,
    )


def _trajectory_draft(
    trajectory: Trajectory, request: ExtractionRequest, learned: Experience, language: Language
) -> Draft:
    new = {turn.message_id for turn in request.turns}
    return Draft(
        kind=MemoryKind.TOOL_TRAJECTORY,
        key=wording.title(trajectory),
        value=wording.told(trajectory, language),
        source_ids=tuple(turn.message_id for turn in trajectory.turns if turn.message_id in new),
        index_text=wording.index_text(trajectory),
        context_text=wording.context_text(trajectory),
        details={
            "used": _used(trajectory, learned),
            "experience": learned.whole,
            "tally": _tally(trajectory),
        },
        identity=trajectory.identity,
    )


def _tally(trajectory: Trajectory) -> dict[str, JsonValue]:
    """How often each tool was called, and how often that succeeded."""
    counts: dict[str, list[int]] = {}
    for step in trajectory.steps:
        count = counts.setdefault(step.call.name, [0, 0])
        count[0] += step.tries
        count[1] += step.successes
    return {name: [*count] for name, count in counts.items()}


def _used(trajectory: Trajectory, learned: Experience) -> list[JsonValue]:
    last_errors = {step.call.name: step.outcome.error_type or "" for step in trajectory.steps}
    tally: Mapping[str, JsonValue] = _tally(trajectory)
    used: list[JsonValue] = []
    for name, error_type in last_errors.items():
        count = tally[name]
        calls, successes = (int(str(number)) for number in count) if isinstance(count, list) else (1, 0)
        used.append(
            {
                "used_tool": name,
                "error_type": error_type,
                "success_rate": round(successes / calls, 4),
                "tool_experience": learned.by_tool.get(name, ""),
            }
        )
    return used
