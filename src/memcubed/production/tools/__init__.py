"""Tool memory: what tools there are, how calls of them went, and what was learned of them."""

from memcubed.production.tools.reader import ToolReader as ToolReader
