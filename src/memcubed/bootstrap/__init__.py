"""The composition root: from settings to a running service. Nothing else wires."""

from memcubed.bootstrap.api import create_http
from memcubed.bootstrap.database import (
    DatabaseUrls,
    existing_database,
    open_database,
    prepare_database,
    release_database,
)
from memcubed.bootstrap.readers import embeddings_name
from memcubed.bootstrap.service import Service, calibrate

__all__ = (
    "DatabaseUrls",
    "Service",
    "calibrate",
    "create_http",
    "embeddings_name",
    "existing_database",
    "open_database",
    "prepare_database",
    "release_database",
)
