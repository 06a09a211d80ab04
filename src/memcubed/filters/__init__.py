"""Filters: which memories a request is about, from its JSON to SQL."""

from memcubed.filters.model import NO_FILTER, Condition, Filters
from memcubed.filters.request import FilterBody, parse_filter
from memcubed.filters.sql import CompiledCondition, compile_condition, matching

__all__ = [
    "NO_FILTER",
    "CompiledCondition",
    "Condition",
    "FilterBody",
    "Filters",
    "compile_condition",
    "matching",
    "parse_filter",
]
