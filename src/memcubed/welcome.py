"""What `memcubed serve` says at its start."""

import json
import shlex
import socket
from typing import Final

from memcubed.http.app import BASE_PATH

_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised, not bound

_MESSAGES: Final = {
    "user_id": "memos_user_123",
    "conversation_id": "0610",
    "messages": [
        {"role": "user", "content": "我暑假定好去广州旅游，住宿的话有哪些连锁酒店可选？"},
        {"role": "assistant", "content": "您可以考虑【七天、全季、希尔顿】等等"},
        {"role": "user", "content": "我选七天"},
        {"role": "assistant", "content": "好的，有其他问题再问我。"},
    ],
}


def base_url(listener: socket.socket) -> str:
    """The contract's base URL on this socket."""
    host, port = listener.getsockname()[:2]
    if host in _ANY_ADDRESS:
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{BASE_PATH}"


def welcome(listener: socket.socket, extractor: str, first_key: str | None) -> str:
    """Where the API is and, with the installation's first key, a call that works when pasted."""
    url = base_url(listener)
    lines = [f"memcubed answers at {url} (extractor: {extractor})"]
    if first_key is not None:
        lines += [
            "",
            "This is your API key. It is shown this once; `memcubed key create` makes more.",
            "",
            f"    {first_key}",
            "",
            "Try it:",
            "",
            f"curl -s {url}/add/message \\",
            f"  -H 'Authorization: Token {first_key}' -H 'Content-Type: application/json' \\",
            f"  -d {shlex.quote(json.dumps(_MESSAGES, ensure_ascii=False))}",
        ]
    return "\n".join(lines)
