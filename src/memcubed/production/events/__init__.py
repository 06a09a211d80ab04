"""Events: what happened or will, with when, where and who."""

from memcubed.production.events.local import LocalEventReader as LocalEventReader
from memcubed.production.events.reader import LlmEventReader as LlmEventReader
