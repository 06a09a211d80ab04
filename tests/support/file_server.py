"""A file server on loopback that answers whatever a test wants, byte by byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Reply = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def reply(
    content: bytes = b"", *, status: int = 200, media_type: str | None = "text/plain", length: bool = True, **more: str
) -> bytes:
    """An answer; header names in `more` have underscores for dashes."""
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    if media_type is not None:
        headers["Content-Type"] = media_type
    if length:
        headers.setdefault("Content-Length", str(len(content)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} So\r\n{lines}\r\n".encode() + content


def redirect(target: str, status: int = 302) -> bytes:
    return reply(status=status, Location=target)


@dataclass
class FileServer:
    """`requests` are the heads that arrived; a path without an answer gets 404."""

    port: int = 0
    replies: dict[str, Reply] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def url(self, path: str, *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            answer = self.replies.get(head.split(" ")[1], reply(b"nothing here", status=404))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client hung up, as it may
        finally:
            writer.close()


@asynccontextmanager
async def serving_files(*, tls: ssl.SSLContext | None = None) -> AsyncIterator[FileServer]:
    """A server until the end of the block."""
    files = FileServer()
    server = await asyncio.start_server(files._serve, "127.0.0.1", 0, ssl=tls)  # noqa: SLF001 - one module
    files.port = server.sockets[0].getsockname()[1]
    try:
        yield files
    finally:
        server.close()
