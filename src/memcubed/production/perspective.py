"""From whose side a conversation is remembered: who of its speakers is the owner of the cube, and who is another."""

from collections.abc import Sequence
from dataclasses import replace

from memcubed.messages.model import Role, Turn
from memcubed.production.model import Owner
from memcubed.store.cubes import Cube, CubeKind


def identify(cube: Cube, user_ids: Sequence[str], turns: Sequence[Turn]) -> Owner | None:
    """The owner of a cube among the speakers; None when names in the turns may be no more than labels.

    They are when one user's conversation has a `role_name` that is not the user's id, and nothing says whose it is.
    """
    owner = Owner(cube.owner, is_agent=cube.kind is CubeKind.AGENT)
    if cube.kind is not CubeKind.USER or len(user_ids) > 1:
        return owner
    is_told = any(turn.role is Role.USER and (turn.role_id is not None or owner.speaks(turn)) for turn in turns)
    return owner if is_told else None


def named(cube: Cube, user_ids: Sequence[str], turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns as this cube is to read them: outside a user's own cube "the user" could be anybody.

    So what the one user of a conversation said is told there under the user's id.
    """
    if cube.kind is CubeKind.USER or len(user_ids) != 1:
        return tuple(turns)
    return tuple(
        replace(turn, speaker=user_ids[0]) if turn.role is Role.USER and turn.speaker is None else turn
        for turn in turns
    )
