"""What a language model makes of calls of tools: a line or two that help the next time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, Field

from memcubed.language.cleaning import printable
from memcubed.language.detect import Language
from memcubed.language.sentences import clip
from memcubed.memories.model import MemoryKind
from memcubed.production.tools import wording
from memcubed.production.tools.trajectories import MAX_STEPS, Trajectory
from memcubed.providers.llm.prompts import read_prompt
from memcubed.providers.llm.protocol import LanguageModel
from memcubed.providers.llm.untrusted import fence, new_nonce
from memcubed.usage.model import Usage

PROMPT_VERSION: Final = "experience.v1"

_MAX_EXPERIENCE: Final = 240
_MAX_ARGUMENTS: Final = 300
_MAX_TOKENS: Final = 600
_MAX_ANSWER: Final = 300
_LINK: Final = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Experience:
    """What was learned of the whole, and of each tool by name."""

    whole: str
    by_tool: Mapping[str, str]


def _text(value: object) -> object:
    return "" if value is None else value


_Text = Annotated[str, BeforeValidator(_text)]


class LearnedOfTool(BaseModel):
    """What was learned of one tool."""

    tool: _Text = Field(default="", json_schema_extra={"maxLength": 128})
    experience: _Text = Field(default="", json_schema_extra={"maxLength": _MAX_EXPERIENCE})


class LearnedExperience(BaseModel):
    """The form of the model's answer."""

    experience: _Text = Field(json_schema_extra={"maxLength": _MAX_EXPERIENCE})
    tools: list[LearnedOfTool] = Field(default_factory=list, json_schema_extra={"maxItems": MAX_STEPS})


def load_prompt(language: Language) -> str:
    """The instructions."""
    return read_prompt("memcubed.production.tools", f"{PROMPT_VERSION}.{language.value}")


async def ask_experience(model: LanguageModel, trajectory: Trajectory, language: Language) -> tuple[Experience, Usage]:
    """Ask the model once. What it says of tools that were not called is left out. Raises ProviderError."""
    completion = await model.complete_json(
        system=load_prompt(language),
        user=render(trajectory, nonce=new_nonce()),
        answer=LearnedExperience,
        max_tokens=_MAX_TOKENS,
    )
    called = {step.call.name: wording.experience_of(step, language) for step in trajectory.steps}
    learned = {one.tool: _clean(one.experience) for one in completion.answer.tools if one.tool in called}
    by_tool = {name: learned.get(name) or plain for name, plain in called.items()}
    whole = _clean(completion.answer.experience) or wording.experience(trajectory, language)
    completion.credit({MemoryKind.TOOL_TRAJECTORY.value: len(whole)})
    return Experience(whole, by_tool), Usage(completion.calls, completion.input_tokens, completion.output_tokens)


def render(trajectory: Trajectory, *, nonce: str) -> str:
    """The calls as JSON between two lines that nobody who wrote into them could foresee."""
    data: dict[str, object] = {
        "request": wording.question_of(trajectory),
        "calls": [
            {
                "tool": step.call.name,
                "arguments": clip(step.call.arguments, _MAX_ARGUMENTS),
                "succeeded": step.outcome.succeeded,
                "error_type": step.outcome.error_type,
                "result": step.outcome.shown,
                "tries": step.tries,
            }
            for step in trajectory.steps
        ],
        "answer": clip(wording.context_text(trajectory), _MAX_ANSWER),
    }
    return fence(data, nonce)


def _clean(text: str) -> str:
    """One line; nothing that leads out of it, which only a result could have put there."""
    line = clip(" ".join(printable(text).split()), _MAX_EXPERIENCE)
    return "" if _LINK.search(line) else line
