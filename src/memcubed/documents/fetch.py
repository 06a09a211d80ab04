"""Downloads of URLs that users gave, which may not lead anywhere but to the public internet.

Every address that the service connects to was checked, at each redirect anew: a name is resolved once, and the
connection goes to the address that was checked, so that a name can't point elsewhere a moment later. What a caller is
told does not depend on what is inside: a refused address and one that does not answer look the same.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

import httpx
import structlog

from memcubed.documents.addresses import is_disguised, is_public
from memcubed.errors import FetchError, FileTooLargeError, InvalidRequestError
from memcubed.tracing import NoTracing, Tracing

MAX_URL_CHARACTERS: Final = 8000

_MAX_REDIRECTS: Final = 5
_MAX_PORT: Final = 65535
_MAX_ADDRESSES: Final = 3
_CONNECT_SECONDS: Final = 5.0
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TRANSIENT: Final = frozenset({408, 425, 429})
_HEADERS: Final = {
    "User-Agent": "memcubed",
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # so that the size that is counted is the size that is kept
    "Connection": "close",
}
_UNREACHABLE: Final = "The URL can't be fetched: its host can't be reached."

log = structlog.get_logger(__name__)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host name, the best first. Raises OSError when it has none."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A downloaded file. `media_type` is what the server said, in lower case, and "" when it said nothing.

    `name` is the last part of the URL's path, and may be empty.
    """

    content: bytes
    media_type: str
    name: str


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses that the system's resolver gives."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def check_url(url: str, field: str) -> str:
    """The URL, when it is one that can be fetched at all. Raises InvalidRequestError, naming the field."""
    try:
        _parse(url)
    except FetchError as error:
        raise InvalidRequestError(f"{field}: {error.message}") from error
    return url


class Fetcher:
    """Fetches files.

    `allowed_hosts` (`host` or `host:port`) are exempt from the check of addresses: a wiki of one's own, say. The
    limits are for one file: `max_bytes` of it, and `timeout_seconds` for all of it, redirects included.
    """

    def __init__(
        self,
        *,
        enabled: bool,
        max_bytes: int,
        timeout_seconds: float,
        allowed_hosts: Iterable[str] = (),
        resolver: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._enabled = enabled
        self._max_bytes = max_bytes
        self._timeout = timeout_seconds
        self._allowed = frozenset(host.strip().lower() for host in allowed_hosts if host.strip())
        self._resolve = resolver
        self._tls = tls
        self._tracing = NoTracing() if tracing is None else tracing

    async def fetch(self, url: str, *, max_bytes: int | None = None) -> Fetched:
        """Download a file of at most `max_bytes`. Raises FetchError, or FileTooLargeError."""
        if not self._enabled:
            raise FetchError("This service does not fetch URLs; send the file's content as base64.")
        most = self._max_bytes if max_bytes is None else min(max_bytes, self._max_bytes)
        if self._tls is None:
            self._tls = await asyncio.to_thread(httpx.create_ssl_context)
        try:
            with self._tracing.span("fetch file", {}):
                async with asyncio.timeout(self._timeout):
                    return await self._follow(_parse(url), most, self._tls)
        except TimeoutError as error:
            raise FetchError(f"The URL was not fetched within {self._timeout:g} s.", retryable=True) from error

    async def _follow(self, url: httpx.URL, most: int, tls: ssl.SSLContext) -> Fetched:
        first = url
        for _ in range(_MAX_REDIRECTS + 1):
            addresses = await self._addresses(url)
            # No pool, cookies, proxies, netrc or redirects: a transport alone, for one request.
            async with httpx.AsyncHTTPTransport(verify=tls, trust_env=False, retries=0) as transport:
                response = await _request(transport, url, addresses)
                try:
                    if response.status_code not in _REDIRECTS:
                        content = await _read(response, most)
                        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                        return Fetched(content, media_type, _name(first) or _name(url))
                    url = _redirected(url, response)
                finally:
                    await response.aclose()
        raise FetchError(f"The URL redirects more than {_MAX_REDIRECTS} times.")

    async def _addresses(self, url: httpx.URL) -> Sequence[str]:
        """The addresses to connect to, all of them checked."""
        host, port = _host(url).lower().rstrip("."), _port(url)
        is_allowed = host in self._allowed or f"{host}:{port}" in self._allowed
        if is_disguised(host):
            log.info("url_refused", reason="the host is a number that may stand for an address")
            raise FetchError(_UNREACHABLE, retryable=True)
        if _is_address(host):
            addresses: Sequence[str] = [host]
        else:
            try:
                addresses = await self._resolve(host, port)
            except (OSError, UnicodeError) as error:
                raise FetchError(_UNREACHABLE, retryable=True) from error
        if not is_allowed and not all(is_public(address) for address in addresses):
            log.info("url_refused", reason="the host has an address that is not public")
            raise FetchError(_UNREACHABLE, retryable=True)  # as if nobody answered there
        return addresses[:_MAX_ADDRESSES]


async def _request(transport: httpx.AsyncHTTPTransport, url: httpx.URL, addresses: Sequence[str]) -> httpx.Response:
    """The answer's head, from the first of these addresses that can be connected to."""
    timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS).as_dict()  # the whole has a limit already
    for address in addresses:
        request = httpx.Request(
            "GET",
            url.copy_with(host=address, fragment=None),
            headers={**_HEADERS, "Host": url.netloc.decode("ascii")},
            # the certificate has to be the host's, although the connection is to an address
            extensions={"timeout": timeout, "sni_hostname": _host(url)},
        )
        try:
            return await transport.handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            log.debug("address_not_reached", reason=type(error.__cause__ or error).__name__)
        except httpx.TransportError as error:
            raise _broken() from error
        except (UnicodeError, ssl.SSLError, httpx.InvalidURL) as error:  # such as a name that no certificate can have
            raise FetchError(_UNREACHABLE, retryable=True) from error
    raise FetchError(_UNREACHABLE, retryable=True)


async def _read(response: httpx.Response, most: int) -> bytes:
    status = response.status_code
    if status != HTTPStatus.OK:
        transient = status in _TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        raise FetchError(f"The URL can't be fetched: its server answered with status {status}.", retryable=transient)
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise FetchError("The URL can't be fetched: its server sent the file compressed, unasked.")
    told = response.headers.get("content-length", "")
    if told.isascii() and told.isdigit() and int(told) > most:
        raise _too_large(most)
    chunks, size = [], 0
    try:
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > most:
                raise _too_large(most)
            chunks.append(chunk)
    except httpx.TransportError as error:
        raise _broken() from error
    return b"".join(chunks)


def _parse(url: str) -> httpx.URL:
    if len(url) > MAX_URL_CHARACTERS:
        raise FetchError(f"The URL has more than {MAX_URL_CHARACTERS} characters.")
    try:
        parsed = httpx.URL(url.strip())
        parsed.netloc.decode("ascii")
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise FetchError("The URL is not well formed.") from error
    if parsed.scheme not in {"http", "https"}:
        raise FetchError("The URL must begin with http:// or https://.")
    if not _host(parsed):
        raise FetchError("The URL names no host.")
    if parsed.userinfo:
        raise FetchError("The URL must not hold a user name or password.")
    if not 0 < _port(parsed) <= _MAX_PORT:
        raise FetchError("The URL is not well formed.")
    return parsed


def _redirected(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    location = response.headers.get("location", "")
    if not location or len(location) > MAX_URL_CHARACTERS:
        raise FetchError("The URL redirects to nowhere.")
    try:
        target = url.join(location)
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError("The URL redirects to nowhere.") from error
    return _parse(str(target))


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii")  # not the decoded one, which some hosts have none of


def _port(url: httpx.URL) -> int:
    if url.port is not None:
        return url.port
    return 443 if url.scheme == "https" else 80


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _name(url: httpx.URL) -> str:
    return url.path.rpartition("/")[2]


def _broken() -> FetchError:
    return FetchError("The URL can't be fetched: the connection broke.", retryable=True)


def _too_large(most: int) -> FileTooLargeError:
    return FileTooLargeError(f"The file is larger than {most / 1_000_000:g} MB.")
