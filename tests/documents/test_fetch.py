"""URLs that users give are fetched with care: addresses, redirects, sizes, times, and what is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
import trustme

from memcubed.documents.addresses import is_public
from memcubed.documents.fetch import Fetcher, check_url
from memcubed.errors import FetchError, FileTooLargeError, InvalidRequestError
from tests.support.file_server import FileServer, redirect, reply, serving_files

UNREACHABLE = "The URL can't be fetched: its host can't be reached."
METADATA = ("169.254.169.254",)


class Names:
    """A resolver with a table; `asked` are the names that were looked up."""

    def __init__(self, table: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._answers = {name: list(answers) for name, answers in table.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        del port
        self.asked.append(host)
        if host not in self._answers:
            raise OSError("no such name")
        answers = self._answers[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
async def files() -> AsyncIterator[FileServer]:
    async with serving_files() as server:
        yield server


@pytest.fixture
def loopback_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but loopback can be reached from here, so it stands for the internet."""
    patched = "memcubed.documents.fetch.is_public"
    monkeypatch.setattr(patched, lambda address: address == "127.0.0.1" or is_public(address))


def fetcher(**changes: Any) -> Fetcher:  # noqa: ANN401 - as the constructor takes them
    return Fetcher(**{"enabled": True, "max_bytes": 1000, "timeout_seconds": 20, **changes})


async def refusal(url: str, **changes: Any) -> FetchError:  # noqa: ANN401 - as the constructor takes them
    with pytest.raises(FetchError) as caught:
        await fetcher(**changes).fetch(url)
    return caught.value


async def test_a_file_arrives_with_its_type_and_name(files: FileServer) -> None:
    files.replies["/a/manual%20v2.md?x=1"] = reply(b"# Hello", media_type="Text/Markdown; charset=utf-8")
    got = await fetcher(allowed_hosts=[files.host]).fetch(files.url("/a/manual%20v2.md?x=1#part"))
    assert (got.content, got.media_type, got.name) == (b"# Hello", "text/markdown", "manual v2.md")


async def test_nothing_of_ours_is_sent_along(files: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    files.replies["/"] = redirect("/next")
    files.replies["/next"] = reply(b"here", Set_Cookie="a=b")
    await fetcher(allowed_hosts=["127.0.0.1"]).fetch(files.url("/"))
    assert len(files.requests) == 2
    for request in files.requests:
        names = {line.partition(":")[0].lower() for line in request.split("\r\n")[1:] if line}
        assert names == {"host", "user-agent", "accept", "accept-encoding", "connection"}


async def test_off_by_one_setting(files: FileServer) -> None:
    files.replies["/"] = reply(b"x")
    error = await refusal(files.url("/"), enabled=False, allowed_hosts=[files.host])
    assert "does not fetch URLs" in error.message
    assert not error.retryable
    assert files.requests == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "0.0.0.1"]
)
async def test_private_addresses_are_refused(files: FileServer, host: str) -> None:
    error = await refusal(files.url("/", host=host))
    assert error.message == UNREACHABLE
    assert files.requests == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0x7f.0.0.1", "127.1", "localhost"])
async def test_disguised_and_local_names_are_refused(files: FileServer, host: str) -> None:
    error = await refusal(files.url("/", host=host))  # by the system's own resolver
    assert error.message == UNREACHABLE
    assert files.requests == []


async def test_names_that_lead_inside_are_refused(files: FileServer) -> None:
    names = Names(
        {"inside.example": [("127.0.0.1",)], "half.example": [("8.8.8.8", "127.0.0.1")], "m.example": [METADATA]}
    )
    for host in ("inside.example", "half.example", "m.example"):
        assert (await refusal(files.url("/", host=host), resolver=names)).message == UNREACHABLE
    assert files.requests == []


async def test_refused_and_unreachable_look_the_same(files: FileServer) -> None:
    names = Names({"private.example": [("127.0.0.1",)], "closed.example": [("127.0.0.1",)]})
    refused = await refusal(files.url("/", host="private.example"), resolver=names)
    closed = await refusal("http://closed.example:1/", resolver=names, allowed_hosts=["closed.example"])
    unknown = await refusal("http://unknown.example/", resolver=names)
    assert {(error.message, error.retryable) for error in (refused, closed, unknown)} == {(UNREACHABLE, True)}


@pytest.mark.usefixtures("loopback_is_public")
async def test_a_name_is_resolved_once_and_the_checked_address_used(files: FileServer) -> None:
    files.replies["/"] = reply(b"public")
    names = Names({"rebinding.example": [("127.0.0.1",), METADATA]})
    got = await fetcher(resolver=names).fetch(files.url("/", host="rebinding.example"))
    assert got.content == b"public"
    assert names.asked == ["rebinding.example"]
    assert f"Host: rebinding.example:{files.port}\r\n" in files.requests[0]


@pytest.mark.usefixtures("loopback_is_public")
async def test_the_next_address_is_tried_when_one_does_not_answer(files: FileServer) -> None:
    files.replies["/"] = reply(b"second")
    names = Names({"two.example": [("::ffff:127.0.0.1", "127.0.0.1")]})
    got = await fetcher(resolver=names, allowed_hosts=["two.example"]).fetch(files.url("/", host="two.example"))
    assert got.content == b"second"


@pytest.mark.usefixtures("loopback_is_public")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_checked_like_the_first_url(files: FileServer, status: int) -> None:
    files.replies["/good"] = redirect(f"http://other.example:{files.port}/there", status)
    files.replies["/there"] = reply(b"arrived")
    files.replies["/bad"] = redirect(f"http://inside.example:{files.port}/there", status)
    files.replies["/metadata"] = redirect("http://169.254.169.254/latest/meta-data/", status)
    names = Names({"a.example": [("127.0.0.1",)], "other.example": [("127.0.0.1",)], "inside.example": [("10.0.0.1",)]})
    got = await fetcher(resolver=names).fetch(files.url("/good", host="a.example"))
    assert got.content == b"arrived"
    assert got.name == "good"
    for path in ("/bad", "/metadata"):
        error = await refusal(files.url(path, host="a.example"), resolver=names)
        assert error.message == UNREACHABLE
    assert len(files.requests) == 4


@pytest.mark.usefixtures("loopback_is_public")
async def test_a_redirect_resolves_anew_and_is_checked_anew(files: FileServer) -> None:
    files.replies["/"] = redirect("/again")
    files.replies["/again"] = reply(b"secret")
    names = Names({"rebinding.example": [("127.0.0.1",), METADATA]})
    error = await refusal(files.url("/", host="rebinding.example"), resolver=names)
    assert error.message == UNREACHABLE
    assert len(files.requests) == 1


async def test_an_allowed_host_opens_no_other(files: FileServer) -> None:
    files.replies["/"] = redirect(files.url("/inner", host="inside.example"))
    names = Names({"inside.example": [("127.0.0.1",)]})
    error = await refusal(files.url("/"), resolver=names, allowed_hosts=[files.host])
    assert error.message == UNREACHABLE
    error = await refusal(files.url("/"), allowed_hosts=["127.0.0.1:1"])
    assert error.message == UNREACHABLE
    assert len(files.requests) == 1


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("file:///etc/passwd", "http"),
        ("gopher://127.0.0.1/", "http"),
        ("http://user:pass@example.com/", "user name"),
        ("", "nowhere"),
        ("http://example.com:99999/", "not well formed"),
    ],
)
async def test_redirects_to_what_is_no_web_address(files: FileServer, target: str, told: str) -> None:
    files.replies["/"] = redirect(target)
    error = await refusal(files.url("/"), allowed_hosts=[files.host])
    assert told in error.message
    assert not error.retryable


async def test_redirects_are_bounded(files: FileServer) -> None:
    files.replies["/"] = redirect("/")
    error = await refusal(files.url("/"), allowed_hosts=[files.host])
    assert "redirects more than 5 times" in error.message
    assert len(files.requests) == 6


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/a",
        "file:///etc/passwd",
        "//example.com/",
        "example.com",
        "http://",
        "http:///path",
        "http://user@example.com/",
        "http://user:pw@example.com/",
        "http://:pw@example.com/",
        "http://example.com:99999/",
        "http://example.com:0/",
        "http://[::1/",
        "http://exa\nmple.com/",
        "http://example.com/" + "a" * 8000,
        "",
    ],
)
async def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^file\[0\]: The URL"):
        check_url(url, "file[0]")
    assert not (await refusal(url)).retryable


@pytest.mark.parametrize("url", ["http://example.com", "HTTPS://例子.测试/文件.pdf?a=b#c", "http://8.8.8.8:8080/x"])
def test_urls_that_are_some(url: str) -> None:
    assert check_url(url, "file") == url


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "..", "a..b", "-", "💥.example", "xn--", "[bad", "a" * 300])
async def test_strange_names_are_only_unreachable(host: str) -> None:
    error = await refusal(f"http://{host}/")
    assert error.message in {UNREACHABLE, "The URL is not well formed."}


async def test_too_large_by_its_own_word_and_by_its_bytes(files: FileServer) -> None:
    files.replies["/told"] = reply(b"", Content_Length="1001")
    files.replies["/untold"] = reply(b"x" * 1001, length=False)
    files.replies["/fits"] = reply(b"x" * 1000, length=False)
    fetch = fetcher(allowed_hosts=[files.host]).fetch
    for path in ("/told", "/untold"):
        with pytest.raises(FileTooLargeError) as caught:
            await fetch(files.url(path))
        assert caught.value.message == "The file is larger than 0.001 MB."
    assert len((await fetch(files.url("/fits"))).content) == 1000
    with pytest.raises(FileTooLargeError):
        await fetch(files.url("/fits"), max_bytes=999)


async def test_an_endless_answer_is_cut_off_by_size(files: FileServer) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"a\r\n0123456789\r\n")
            await writer.drain()

    files.replies["/"] = endless
    with pytest.raises(FileTooLargeError):
        await fetcher(allowed_hosts=[files.host]).fetch(files.url("/"))


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_the_time_limit_is_for_the_whole_and_not_for_each_read(files: FileServer, head: bytes) -> None:
    async def dripping(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    files.replies["/"] = dripping
    error = await refusal(files.url("/"), allowed_hosts=[files.host], timeout_seconds=0.3, max_bytes=10**9)
    assert error.message == "The URL was not fetched within 0.3 s."
    assert error.retryable


@pytest.mark.parametrize(
    ("status", "retryable"), [(404, False), (403, False), (500, True), (503, True), (429, True), (204, False)]
)
async def test_answers_that_are_no_file(files: FileServer, status: int, *, retryable: bool) -> None:
    files.replies["/"] = reply(b"secret details", status=status) if status != 204 else reply(status=204)
    error = await refusal(files.url("/"), allowed_hosts=[files.host])
    assert error.message == f"The URL can't be fetched: its server answered with status {status}."
    assert error.retryable is retryable


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    ],
)
async def test_broken_answers(files: FileServer, answer: bytes) -> None:
    files.replies["/"] = answer
    error = await refusal(files.url("/"), allowed_hosts=[files.host])
    assert error.message == "The URL can't be fetched: the connection broke."


async def test_compressed_answers_are_refused_since_a_bomb_is_one(files: FileServer) -> None:
    files.replies["/"] = reply(b"\x1f\x8b", Content_Encoding="gzip")
    error = await refusal(files.url("/"), allowed_hosts=[files.host])
    assert "compressed" in error.message


async def test_tls_is_checked_against_the_name_although_the_connection_goes_to_an_address() -> None:
    authority = trustme.CA()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("files.example").configure_cert(server_tls)
    asked: list[str | None] = []
    server_tls.sni_callback = lambda _socket, name, _context: asked.append(name)
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)
    names = Names({"files.example": [("127.0.0.1",)], "other.example": [("127.0.0.1",)]})
    async with serving_files(tls=server_tls) as files:
        files.replies["/"] = reply(b"safe")
        options: dict[str, Any] = {
            "resolver": names,
            "allowed_hosts": ["files.example", "other.example"],
            "tls": client_tls,
        }
        got = await fetcher(**options).fetch(files.url("/", host="files.example", scheme="https"))
        assert got.content == b"safe"
        error = await refusal(files.url("/", host="other.example", scheme="https"), **options)
        assert error.message == UNREACHABLE
        untrusted = await refusal(files.url("/", host="files.example", scheme="https"), **{**options, "tls": None})
        assert untrusted.message == UNREACHABLE
    assert asked == ["files.example", "other.example", "files.example"]
