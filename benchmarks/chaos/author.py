"""What clients send: conversations, corrections and files, each with a word that is in no other one."""

import base64
import random
import string
from typing import Final

from benchmarks.chaos.model import Add, Json, Upload

_KEPT_IN_A_CONVERSATION: Final = 20  # get/message gives 50 messages, of which an add has up to two

SENTENCES: Final = (
    "I keep a boat called {} in the harbour.",
    "My dog {} sleeps on the balcony.",
    "The meeting room on my floor is called {}.",
    "I grew up in a village named {}.",
    "我家的猫叫 {} ，今年三岁。",
    "我最喜欢的茶馆是 {} 。",
)
_FEEDBACK: Final = (
    "Please mention {} whenever I ask about the summer house.",
    "以后回答时请记得提到 {} 。",
)
_DOCUMENTS: Final = (
    "The warranty of machine {} ends after twenty-four months.",
    "# 采购\n\n编号 {} 的设备由行政部统一采购。",
)


class Author:
    """Writes for one client; what it writes depends on the seed alone."""

    def __init__(self, index: int, seed: int) -> None:
        self._index = index
        self._random = random.Random(f"{seed} author {index}")  # noqa: S311 - to be repeated, not to be secret
        self._count = 0

    def message(self) -> Add:
        """Somebody's conversation: of a user, two users or an agent, and now and then for all, or with a file."""
        self._count += 1
        mark = self._mark()
        users = [self.user() for _ in range(2)]
        attached = self._mark() if self._happens(0.1) else None
        messages: list[Json] = [{"role": "user", "content": self._said(self.sentence(mark), attached)}]
        if self._happens(0.5):
            messages.append({"role": "assistant", "content": "OK."})
        body: Json = {"conversation_id": self.conversation(), "messages": messages}
        kind = self._random.random()
        if kind < 0.1 and users[0] != users[1]:  # noqa: PLR2004 - shares of the load
            body["user_id"] = users
            owners = [("user", users[0]), ("user", users[1])]
        elif kind < 0.15:  # noqa: PLR2004 - same
            body["agent_id"] = f"agent-{self._index}"
            owners = [("agent", f"agent-{self._index}")]
        else:
            body["user_id"] = users[0]
            owners = [("user", users[0])]
        if self._happens(0.05):
            body["allow_public"] = True
            owners.append(("public", ""))
        if self._happens(0.1):
            body["async_mode"] = False
        return Add("add/message", mark, body, tuple(owners), self._key(mark), attached=attached)

    def correction(self) -> Add:
        """Feedback of a user who gives nothing else."""
        self._count += 1
        mark, user = self._mark(), f"{self.user()}-critic"
        body: Json = {
            "user_id": user,
            "conversation_id": self.conversation(),
            "feedback_content": self._random.choice(_FEEDBACK).format(mark),
        }
        return Add("add/feedback", mark, body, (("user", user),), self._key(mark))

    def upload(self, base: str) -> Upload:
        """A small file for a knowledge base."""
        mark = self._mark()
        return Upload(mark, base, _encoded(self._random.choice(_DOCUMENTS).format(mark)))

    def rewording(self) -> tuple[str, str]:
        """A new text for a memory, and its mark."""
        mark = self._mark()
        return mark, self.sentence(mark)

    def sentence(self, word: str) -> str:
        """Something to say about a word."""
        return self._random.choice(SENTENCES).format(word)

    def user(self) -> str:
        """One of the users that this client has."""
        return f"user-{self._index}-{self._random.randrange(8)}"

    def conversation(self) -> str:
        """The conversation that goes on."""
        return f"c{self._count // _KEPT_IN_A_CONVERSATION}"

    def _said(self, text: str, attached: str | None) -> str | list[Json]:
        if attached is None:
            return text
        file = {"file_data": _encoded(self._random.choice(_DOCUMENTS).format(attached)), "filename": "notes.md"}
        return [{"type": "text", "text": text}, {"type": "file", "file": file}]

    def _mark(self) -> str:
        return "zq" + "".join(self._random.choices(string.ascii_lowercase, k=12))

    def _key(self, mark: str) -> str | None:
        return f"key-{mark}" if self._happens(0.6) else None

    def _happens(self, share: float) -> bool:
        return self._random.random() < share


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
