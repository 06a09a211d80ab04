"""Vectors of length one."""

import numpy as np
from numpy.typing import NDArray

from memcubed.providers.embeddings.protocol import Vector

# A matrix, one vector a row.
Rows = NDArray[np.float32]


def to_unit(rows: Rows) -> Rows:
    """Scale every row to length one; a row of zeros, which points nowhere, becomes the first axis."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Rows = np.divide(rows, lengths, out=np.zeros_like(rows, dtype=np.float32), where=lengths > 0)
    unit[lengths[:, 0] <= 0, 0] = 1.0
    return unit


def read_only(vector: Vector) -> Vector:
    """Return a copy that nobody can change, for sharing."""
    copy = vector.copy()
    copy.setflags(write=False)
    return copy
