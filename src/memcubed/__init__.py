"""memcubed: a self-hosted memory service for AI applications."""

from importlib.metadata import version

__version__ = version("memcubed")
