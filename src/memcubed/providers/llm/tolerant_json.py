"""Reading JSON out of what language models write around it, and of JSON they write slightly wrong."""

import json
import re

import json_repair

_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
# Some chat templates open the block themselves, so that only its end is in the answer.
_END_OF_THINKING = re.compile(r"\A.*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```(?:json|JSON)?[ \t]*\r?\n(.*?)\r?\n?```", re.DOTALL)
# Mending takes time that grows with the square of the nesting; no answer that is meant has such runs of brackets.
_BRACKET_RUN = re.compile(r"(?:[{\[]\s*){30}")
_MOST_CHARACTERS = 100_000
_FIRST_BRACKET = re.compile(r"[{\[]")


def parse_tolerantly(text: str) -> object:
    """Return the JSON object or array in `text`; raises ValueError when there is none.

    Thinking blocks, code fences and sentences around it are skipped; missing commas, quotes and brackets are mended.
    """
    text = _END_OF_THINKING.sub("", _THINKING.sub("", text)).strip().removeprefix("\ufeff")
    if not text:
        raise ValueError("the answer is empty")
    for candidate in (text, *(match.group(1) for match in _FENCE.finditer(text))):
        try:
            parsed = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        if isinstance(parsed, dict | list):
            return parsed
    start = _FIRST_BRACKET.search(text)
    if start is None:
        raise ValueError("the answer holds no JSON object")
    return _mend(text[start.start() :])


def is_complete_json(text: str) -> bool:
    """Whether `text` is one JSON value as it stands: such an answer was not cut, whatever the endpoint says."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _mend(text: str) -> object:
    try:
        leading, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        leading = None
    if isinstance(leading, dict) and leading:
        return leading
    if len(text) > _MOST_CHARACTERS or _BRACKET_RUN.search(text):
        raise ValueError("the answer is not JSON and too long or too deep to be mended")
    try:
        mended = json_repair.loads(text, skip_json_loads=True)
    except (ValueError, RecursionError) as error:  # brackets nested thousands deep end the mender's recursion
        raise ValueError("the answer is not JSON and could not be mended") from error
    if isinstance(mended, dict | list) and mended:
        return mended
    raise ValueError("the answer is not JSON and could not be mended")
