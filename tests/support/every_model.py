"""A script that answers whatever the service asks a language model, each question in its own form."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.support.scripted_llm import Answer, Json, json_answer, prompt_data, text_answer

PNG: Final = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20

IMAGE: Final[Json] = {
    "type": "image_url",
    "image_url": {"url": f"data:image/png;base64,{base64.b64encode(PNG).decode()}"},
}

FORM: Final = {"Basic": {"City": {"value": ""}}}
"""A profile template that `CONVERSATION` fills."""

CONVERSATION: Final[tuple[Json, ...]] = (
    {"role": "user", "content": "I moved to Lisbon last month, and I prefer trains to planes."},
    {"role": "assistant", "content": "Good to know! How do you like the city?"},
    {"role": "user", "content": "Yesterday I met my friend Clara in Sintra. What is the weather like there?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "get_weather", "arguments": json.dumps({"location": "Sintra"})},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": '{"temperature": "17°C", "condition": "Cloudy"}'},
    {"role": "assistant", "content": "It is cloudy in Sintra, at 17 degrees."},
)
"""Of it every kind of memory is made but skills."""

SKILL: Final[Json] = {
    "name": "travel-plan",
    "description": "Planning a weekend trip for the user.",
    "steps": [
        {"text": "Ask for the budget first.", "sources": ["e1", "e2"]},
        {"text": "List trains before flights.", "sources": ["e2"]},
    ],
    "experience": [],
    "preference": [],
}


def form_of(request: Json) -> str:
    """What a question asks for: the name of the answer's form, `vision`, or `chat`."""
    if request.get("stream"):
        return "chat"
    name: str | None = ((request.get("response_format") or {}).get("json_schema") or {}).get("name")
    return name or ("vision" if isinstance(request["messages"][-1]["content"], list) else "chat")


def answer_everything(request: Json) -> Answer:
    """Answer a question by its form."""
    form = form_of(request)
    if form == "vision":
        return text_answer("A tram climbs a steep street between tiled houses.")
    if form == "chat":
        return text_answer("You live in Lisbon.")
    return json_answer(_ANSWERS[form](prompt_data(request)))


def _memories(data: Json) -> Json:
    found = []
    for turn in data["turns"]:
        if turn["role"] == "user":
            for sentence in re.findall(r"[^,.?!]+", str(turn["content"])):
                is_preference = "prefer" in sentence
                found.append(
                    {
                        "sources": [turn["id"]],
                        "kind": "explicit_preference" if is_preference else "fact",
                        "key": sentence.strip()[:24],
                        "value": f"The user said: {sentence.strip()}.",
                        "reasoning": "The user says so." if is_preference else "",
                        "tags": [],
                        "time": "",
                    }
                )
    return {"memories": found}


def _events(data: Json) -> Json:
    turns = [turn for turn in data["turns"] if "Yesterday" in str(turn["content"])]
    return {
        "events": [
            {
                "sources": [turn["id"]],
                "title": "Meeting Clara",
                "event": "The user met Clara in Sintra.",
                "time": [_yesterday(turn)],
                "location": ["Sintra"],
                "roles": ["Clara"],
            }
            for turn in turns
        ]
    }


def _yesterday(turn: Json) -> str:
    dates = re.findall(r"\d{4}-\d{2}-\d{2}", json.dumps(turn))
    return min(dates) if dates else ""


def _fields(data: Json) -> Json:
    said = {turn["id"]: str(turn["content"]) for turn in data["turns"]}
    sources = [id_ for id_, text in said.items() if "Lisbon" in text]
    found = [{"id": field["id"], "value": "Lisbon", "sources": sources} for field in data["fields"]]
    return {"fields": found if sources else []}


def _feedback(data: Json) -> Json:
    denied = [memory["id"] for memory in data["memories"]]
    return {"action": "correct", "contradicted": denied, "corrected": data["feedback"], "old": "", "new": ""}


_ANSWERS: Final[Mapping[str, Callable[[Json], Any]]] = {
    "extractedmemories": _memories,
    "extractedevents": _events,
    "learnedexperience": lambda _: {"experience": "Ask for the weather by the name of the town.", "tools": []},
    "filledfields": _fields,
    "feedbackanswer": _feedback,
    "distilledskill": lambda _: SKILL,
    "rewrittenquery": lambda data: {"text": f"The user says about it: {data['query']}"},
}
