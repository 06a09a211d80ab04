"""How a request was served by tools: each call with its result, and what the user had asked for."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from memcubed.messages.model import Role, ToolCall, Turn
from memcubed.production.model import ExtractionRequest
from memcubed.production.tools.outcome import Outcome, read_outcome

MAX_STEPS: Final = 8
"""A longer row of calls is told in several memories."""


@dataclass(frozen=True, slots=True)
class Step:
    """A call that came to its end. `tries` counts equal calls of the same request, of which the last one is told."""

    call: ToolCall
    outcome: Outcome
    turns: tuple[Turn, ...]
    tries: int = 1
    successes: int = 1

    @property
    def identity(self) -> str:
        """The same for calls of one tool with the same arguments, in whichever order."""
        try:
            arguments = json.dumps(json.loads(self.call.arguments), sort_keys=True, ensure_ascii=False)
        except (ValueError, RecursionError):
            arguments = " ".join(self.call.arguments.split())
        return f"{self.call.name}({arguments})"


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What a user asked for, the calls made for it, and what the assistant then answered, if it has."""

    question: Turn | None
    steps: tuple[Step, ...]
    answer: Turn | None

    @property
    def identity(self) -> str:
        """The same when the same was called, whatever came of it."""
        return "\n".join(step.identity for step in self.steps)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The messages that it is made of, in order."""
        told = [turn for step in self.steps for turn in step.turns]
        framed = [*([self.question] if self.question else []), *told, *([self.answer] if self.answer else [])]
        return tuple({turn.message_id: turn for turn in framed}.values())


def find_trajectories(request: ExtractionRequest) -> list[Trajectory]:
    """The calls whose results are new; a call that still waits for its result is told when that comes."""
    new = {turn.message_id for turn in request.turns}
    found: list[Trajectory] = []
    for exchange in _exchanges((*request.context, *request.turns)):
        question = exchange[0] if exchange[0].role is Role.USER else None
        steps = _repeated_once([step for step in _steps(exchange) if step.turns[-1].message_id in new])
        answer = exchange[-1]
        said = answer if answer.role is Role.ASSISTANT and answer.content and not answer.tool_calls else None
        rows = [tuple(steps[start : start + MAX_STEPS]) for start in range(0, len(steps), MAX_STEPS)]
        found += [Trajectory(question, row, said) for row in rows]
    return found


def _exchanges(turns: Sequence[Turn]) -> Iterator[list[Turn]]:
    """Cut before each message of a user."""
    exchange: list[Turn] = []
    for turn in turns:
        if turn.role is Role.USER and exchange:
            yield exchange
            exchange = []
        exchange.append(turn)
    if exchange:
        yield exchange


def _steps(exchange: Sequence[Turn]) -> Iterator[Step]:
    waiting: list[tuple[ToolCall, Turn]] = []
    for turn in exchange:
        waiting += [(call, turn) for call in turn.tool_calls if call.name]
        if turn.tool_result is None:
            continue
        found = _answered(turn, waiting)
        if found is not None:
            waiting.remove(found)
            yield _step(found[0], (found[1], turn))
        elif turn.tool_result.name:
            # A result whose call was not posted still tells which tool was used.
            yield _step(ToolCall(turn.tool_result.call_id, turn.tool_result.name, ""), (turn,))


def _answered(result: Turn, waiting: Sequence[tuple[ToolCall, Turn]]) -> tuple[ToolCall, Turn] | None:
    """The call that a result answers: by its id, or the next one when the result names none."""
    marks = result.tool_result
    if marks is None:
        return None
    if marks.call_id is not None:
        return next((one for one in waiting if one[0].id == marks.call_id), None)
    return next((one for one in waiting if marks.name in {None, one[0].name}), None)


def _step(call: ToolCall, turns: tuple[Turn, ...]) -> Step:
    outcome = read_outcome(turns[-1])
    return Step(call, outcome, turns, successes=int(outcome.succeeded))


def _repeated_once(steps: Sequence[Step]) -> list[Step]:
    by_identity: dict[str, Step] = {}
    for step in steps:
        earlier = by_identity.pop(step.identity, None)
        if earlier is not None:
            step = Step(  # noqa: PLW2901 - the two as one
                step.call,
                step.outcome,
                (*earlier.turns, *step.turns),
                earlier.tries + step.tries,
                earlier.successes + step.successes,
            )
        by_identity[step.identity] = step
    return list(by_identity.values())
