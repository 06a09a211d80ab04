"""The OpenAPI document as schemathesis reads it, without a service that runs."""

from typing import Any, Final

import schemathesis
from schemathesis import APIOperation
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from memcubed.bootstrap import DatabaseUrls, Service, create_http
from memcubed.providers.embeddings.scripted import HashEmbedder
from tests.support.settings import make_settings

_NOWHERE: Final = "postgresql://nobody@127.0.0.1:1/nothing"


def _document() -> dict[str, Any]:
    """The document of a service that is never started."""
    service = Service(make_settings(), DatabaseUrls(_NOWHERE, _NOWHERE), embedder=HashEmbedder())
    return create_http(service, with_worker=False).openapi()


DOCUMENT: Final = _document()

Operation = APIOperation[Any, Any, Any, Any]


def _operations() -> list[Operation]:
    found = schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
    return [result.ok() for result in found if isinstance(result, Ok)]


OPERATIONS: Final = _operations()
"""Every route with every method of it."""

CONFORMANCE: Final = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""The answer's status, content type, headers and body are ones that the document describes."""
