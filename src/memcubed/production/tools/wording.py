"""The sentences in which tool memories tell how calls went: facts only, in the conversation's language."""

from collections.abc import Sequence
from typing import Final

from memcubed.language.detect import Language, detect
from memcubed.language.sentences import clip
from memcubed.production.tools.definitions import words_of
from memcubed.production.tools.outcome import flatten, leaf_values
from memcubed.production.tools.trajectories import Step, Trajectory

_QUESTION: Final = 160
_ARGUMENTS: Final = 200
_VALUE: Final = 1500
_INDEX_RESULT: Final = 200
_CONTEXT: Final = 300


def language_of(trajectories: Sequence[Trajectory], default: Language = Language.EN) -> Language:
    """The language that the user, else the assistant, speaks."""
    asked = [trajectory.question.content for trajectory in trajectories if trajectory.question]
    said = [trajectory.answer.content for trajectory in trajectories if trajectory.answer]
    return detect("\n".join(asked) or "\n".join(said), default)


def question_of(trajectory: Trajectory) -> str:
    """What the user asked for, cut to what matters; "" when no user did."""
    return clip(" ".join(trajectory.question.content.split()), _QUESTION) if trajectory.question else ""


def told(trajectory: Trajectory, language: Language) -> str:
    """The whole course: what for, which tools with which arguments, and what came of each."""
    chinese = language is Language.ZH
    question = question_of(trajectory)
    steps = [_step(step, chinese=chinese) for step in trajectory.steps]
    if chinese:
        head = f"为回应“{question}”，" if question else ""
        return clip(f"{head}{'；'.join(steps)}。", _VALUE)
    head = f'To answer "{question}": ' if question else ""
    return clip(f"{head}{'; '.join(steps)}.", _VALUE)


def index_text(trajectory: Trajectory) -> str:
    """What questions find it by: what was asked, the tools' names as words, the arguments' values and the results."""
    lines = [question_of(trajectory)]
    for step in trajectory.steps:
        values = clip(" ".join(leaf_values(step.call.arguments)), _ARGUMENTS)
        lines += [f"{words_of(step.call.name)} {values}".strip(), clip(step.outcome.shown, _INDEX_RESULT)]
    return "\n".join(line for line in lines if line)


def context_text(trajectory: Trajectory) -> str:
    """The answer that the assistant gave from it."""
    return clip(" ".join(trajectory.answer.content.split()), _CONTEXT) if trajectory.answer else ""


def title(trajectory: Trajectory) -> str:
    """The tools that were used, in order."""
    return clip(" → ".join(dict.fromkeys(step.call.name for step in trajectory.steps)), 60)


def experience_of(step: Step, language: Language) -> str:
    """One line on a tool's last call, with nothing in it that was not seen."""
    chinese = language is Language.ZH
    error = step.outcome.error_type
    if error is None and step.successes < step.tries:
        failed = step.tries - step.successes
        return f"失败 {failed} 次后调用成功。" if chinese else f"Succeeded after {failed} failed call(s)."
    if error is None:
        return "调用成功。" if chinese else "The call succeeded."
    return f"调用失败（{error}）。" if chinese else f"The call failed ({error})."


def experience(trajectory: Trajectory, language: Language) -> str:
    """One line on the whole course: which calls gave a result and which failed."""
    chinese = language is Language.ZH
    lines = [
        f"{step.call.name}：{experience_of(step, language)}"
        if chinese
        else f"{step.call.name}: {experience_of(step, language)}"
        for step in trajectory.steps
    ]
    return ("" if chinese else " ").join(dict.fromkeys(lines))


def _step(step: Step, *, chinese: bool) -> str:
    arguments = clip(flatten(step.call.arguments), _ARGUMENTS)
    shown = step.outcome.shown
    if chinese:
        call = f"调用了 {step.call.name}（{arguments}）" if arguments else f"调用了 {step.call.name}"
        end = "结果" if step.outcome.succeeded else f"失败（{step.outcome.error_type}）"
        return f"{call}，{end}：{shown}"
    call = f"{step.call.name} was called ({arguments})" if arguments else f"{step.call.name} was called"
    end = "result" if step.outcome.succeeded else f"it failed ({step.outcome.error_type})"
    return f"{call}, {end}: {shown}"
