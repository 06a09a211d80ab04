"""What skills are distilled from."""

from dataclasses import dataclass

from memcubed.messages.model import Role, Turn


@dataclass(frozen=True, slots=True)
class Episode:
    """One task as a user had it done: a conversation, or one request of the default conversation.

    `key` stays the same for ever. `is_new` when something of it came after the last time that skills were distilled.
    """

    key: str
    conversation_id: str
    turns: tuple[Turn, ...]
    is_new: bool

    @property
    def request(self) -> str:
        """What was asked for: the first words of a user; empty when no user speaks."""
        return next((turn.content for turn in self.turns if turn.role is Role.USER and turn.content.strip()), "")
