"""Memory views in requests."""

from collections.abc import Iterable
from typing import Final

from pydantic import ValidationInfo

from memcubed.errors import InvalidRequestError, UnsupportedTypeError
from memcubed.memories.model import MemoryKind, MemoryView


def check_views(value: object, field: ValidationInfo) -> object:
    """A list of memory views; the error names the field, and which of its entries is none."""
    if not isinstance(value, list):
        raise InvalidRequestError(f"{field.field_name} must be a list of strings.")
    for index, view in enumerate(value):
        if not isinstance(view, str) or view not in set(MemoryView):
            raise UnsupportedTypeError(f"{field.field_name}[{index}] must be one of {', '.join(MemoryView)}.")
    return value


DEFAULT_VIEWS: Final = (
    MemoryView.DETAIL_FACTUAL,
    MemoryView.PREFERENCE,
    MemoryView.TOOL_MEMORY,
    MemoryView.PROFILE,
)
"""What is made of messages when a request does not say; of profiles, those that the user or agent is bound to."""


def kinds_of(views: Iterable[MemoryView]) -> frozenset[MemoryKind]:
    """The kinds that these views ask for."""
    return frozenset(kind for view in views for kind in view.kinds)
