"""A scripted server whose embeddings make some sense: texts that share words are near each other."""

import asyncio
from typing import Any

from memcubed.providers.embeddings.scripted import HashEmbedder
from tests.support.scripted_llm import Answer, Json, Script, ScriptedServer, echo_extraction, status_answer

DIMENSIONS = 256


def model_server(script: Answer | Script = echo_extraction) -> ScriptedServer:
    """Serves chats by the script, and embeddings; not started yet."""
    return ScriptedServer(script, embedding_script=_embed)


def model_settings(server: ScriptedServer) -> dict[str, Any]:
    """The settings that make a process use both."""
    return {
        "llm_base_url": server.base_url,
        "llm_model": "scripted",
        "embedding_base_url": server.base_url,
        "embedding_model": "scripted",
        "task_backoff_seconds": 0.05,
    }


def _embed(body: Json) -> Answer:
    vectors = asyncio.run(HashEmbedder(DIMENSIONS).embed_documents(body["input"]))
    data = [{"index": index, "embedding": vector.tolist()} for index, vector in enumerate(vectors)]
    return status_answer(200, {"object": "list", "data": data, "model": body["model"]})
