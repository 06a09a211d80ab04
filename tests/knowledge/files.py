"""Knowledge bases as tests use them."""

import base64
from typing import Any

from tests.support.api import Answer, Client, Json, eventually


def encoded(content: str | bytes) -> str:
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


async def new_base(client: Client, name: str = "rules") -> str:
    return str((await client.post("/create/knowledgebase", {"knowledgebase_name": name}))["id"])


async def add(client: Client, base: str, *files: Json) -> list[Json]:
    added: list[Json] = await client.post("/add/knowledgebase-file", {"knowledgebase_id": base, "file": list(files)})
    return added


async def add_text(client: Client, base: str, text: str, name: str = "rules.txt") -> str:
    """The id of a file that has been read."""
    (added,) = await add(client, base, {"name": name, "content": encoded(text)})
    done = await read(client, added["id"])
    assert done["status"] == "COMPLETED", done
    return str(added["id"])


async def details(client: Client, *ids: str) -> list[Json]:
    found: list[Json] = (await client.post("/get/knowledgebase-file", {"file_ids": list(ids)}))["file_detail_list"]
    return found


async def read(client: Client, file_id: str) -> Json:
    """The file once it has been read, or can't be."""

    async def ended() -> Json | None:
        (file,) = await details(client, file_id)
        return None if file["status"] == "PROCESSING" else file

    done: Json = await eventually(ended)
    return done


async def form(client: Client, query: dict[str, str], *files: tuple[str, bytes], **fields: Any) -> Answer:  # noqa: ANN401 - form fields
    """Send files as parts of a form."""
    return Answer.of(
        await client.http.post(
            "/add/knowledgebase-file",
            params=query,
            data=fields,
            files=[("file", (name, content)) for name, content in files],
            headers={"Authorization": f"Token {client.key}"},
        )
    )
