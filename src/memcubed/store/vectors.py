"""Vectors as PostgreSQL takes and gives them."""

from memcubed.providers.embeddings import Vector


def to_halfvec(vector: Vector) -> str:
    """The text form of a `halfvec`; seven digits are more than half precision holds."""
    return "[" + ",".join(f"{x:.6g}" for x in vector.tolist()) + "]"
