"""Which tasks are similar enough to be one kind of task."""

from collections.abc import Callable, Sequence

from memcubed.providers.embeddings import Vector
from memcubed.skills.model import Episode


def group(
    episodes: Sequence[Episode], vectors: Sequence[Vector], is_similar: Callable[[float], bool]
) -> list[list[Episode]]:
    """Groups of similar tasks, each with its eldest first, which leads it.

    An episode joins the group whose leader is nearest, if that is near enough by its cosine, else it leads one of its
    own. Leaders stay as episodes are added, so a group is known by its leader.
    """
    leaders: list[Vector] = []
    groups: list[list[Episode]] = []
    for episode, vector in zip(episodes, vectors, strict=True):
        scores = [float(vector @ leader) for leader in leaders]
        best = max(range(len(scores)), key=scores.__getitem__, default=None)
        if best is not None and is_similar(scores[best]):
            groups[best].append(episode)
        else:
            leaders.append(vector)
            groups.append([episode])
    return groups
