"""A relay before PostgreSQL that keeps what a service sends: its statements, by round trip."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from memcubed.bootstrap import DatabaseUrls

_ENCRYPTION_REQUESTS = {80877103, 80877104}  # of TLS and GSSAPI; the bundled server says no


@dataclass
class Wire:
    """What went over every connection since `clear`: a list of statements for each time the client waited."""

    trips: list[list[str]] = field(default_factory=list)

    def clear(self) -> None:
        self.trips = []

    def of(self, *words: str) -> list[list[str]]:
        """The round trips with a statement that has one of these words."""
        return [trip for trip in self.trips if any(word in statement for statement in trip for word in words)]


@asynccontextmanager
async def relayed(urls: DatabaseUrls) -> AsyncIterator[tuple[DatabaseUrls, Wire]]:
    """The database as the service's role reaches it through a relay, which ends with the block."""
    parts = urlsplit(urls.service)
    wire = Wire()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(parts.hostname, parts.port)
        answers = asyncio.create_task(_copy(server_reader, writer))
        try:
            await _listen(reader, server_writer, wire)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has closed it
        finally:
            server_writer.close()
            await answers

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        netloc = f"{parts.netloc.rsplit(':', 1)[0]}:{port}"
        yield DatabaseUrls(owner=urls.owner, service=urlunsplit(parts._replace(netloc=netloc))), wire


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def _listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wire: Wire) -> None:
    """Pass on what a client sends, by the protocol's messages: Parse, Bind, Execute, Query, Sync and Flush."""
    texts: dict[bytes, str] = {}
    bound = ""
    sent: list[str] = []
    has_parsed = False
    for _ in range(2):  # a request for encryption, if any, and the start
        size = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(size) - 4)
        writer.write(size + body)
        if int.from_bytes(body[:4]) not in _ENCRYPTION_REQUESTS:
            break
    while True:
        head = await reader.readexactly(5)
        body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
        match head[:1]:
            case b"P":
                name, text, _ = body.split(b"\0", 2)
                texts[name] = " ".join(text.decode().split())
                has_parsed = True
            case b"B":
                bound = texts[body.split(b"\0", 2)[1]]
            case b"E":
                sent.append(bound)
            case b"Q":
                wire.trips.append([body.rstrip(b"\0").decode()])
            case b"S" | b"H":
                # A flush after a sync asks for nothing more; a sync after a mere Parse prepares a statement, once.
                if sent or (head[:1] == b"S" and not has_parsed):
                    wire.trips.append(sent)
                sent, has_parsed = [], False
        writer.write(head + body)
        await writer.drain()
