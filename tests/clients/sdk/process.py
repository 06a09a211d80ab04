"""Runs in the environment of the official SDK: calls MemOSClient as told, line by line, and prints what it gave.

A line in: `{"key", "base_url", "method", "arguments"}`. A line out: `{"kind", "value", "shortcuts"}`, with the name of
the class that the method gave, its content, and what the properties of that class say; or `{"error", "message"}`.
"""

import inspect
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

# The SDK logs to standard output, which is for answers here.
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

from memos.api.client import MemOSClient  # type: ignore[import-not-found]  # noqa: E402 - only in its own environment


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever the SDK gives
    """The value as JSON has it."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return [plain(item) for item in value] if isinstance(value, list | Iterator) else value


def call(request: dict[str, Any]) -> dict[str, Any]:
    """One call of a client that knows its base URL and its key, no more."""
    client = MemOSClient(api_key=request["key"], base_url=request["base_url"])
    given = getattr(client, request["method"])(**request["arguments"])
    shortcuts = [name for name, member in vars(type(given)).items() if isinstance(member, property)]
    return {
        "kind": "stream" if isinstance(given, Iterator) else type(given).__name__,
        "value": plain(given),
        "shortcuts": {name: plain(getattr(given, name)) for name in shortcuts if not name.startswith("_")},
    }


def main() -> None:
    """Answer until there is nothing more to read. The first line says which methods there are."""
    methods = [name for name, _ in inspect.getmembers(MemOSClient, inspect.isfunction) if not name.startswith("_")]
    print(json.dumps(methods), file=answers, flush=True)
    for line in sys.stdin:
        try:
            answer = call(json.loads(line))
        except Exception as error:  # noqa: BLE001 - the edge of the process; the test judges
            answer = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
