"""One exchange of the HTTP/1.1 client, against servers that write exact bytes."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.http1 import Client, ConnectionBroke, Origin, Response
from tests.fixtures.http1 import CHUNKED, MEGABYTE, OK, TO_THE_END, Answer, always, get, read_request, saying, whole
from tests.fixtures.wire_server import cut, serving, write_in_parts

pytestmark = [pytest.mark.worker_loop, pytest.mark.usefixtures("no_complaints")]


async def test_a_request_is_written_as_asked(http1_client: Client) -> None:
    asked = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await read_request(reader):
            asked.append(request)
            writer.write(OK)

    async with serving(speak) as server:
        for method, headers, body in (("POST", {"x-a": "1"}, b"{}"), ("POST", {}, b""), ("GET", {}, b"")):
            response = await http1_client.request(method, f"{server.url}/base", "/v1/x", headers, body)
            assert await whole(response) == b"ok"
    first = f"host: 127.0.0.1:{server.port}\r\naccept-encoding: identity\r\n"
    assert asked == [
        f"POST /base/v1/x HTTP/1.1\r\n{first}x-a: 1\r\ncontent-length: 2\r\n\r\n{{}}".encode(),
        f"POST /base/v1/x HTTP/1.1\r\n{first}content-length: 0\r\n\r\n".encode(),
        f"GET /base/v1/x HTTP/1.1\r\n{first}\r\n".encode(),
    ]


async def test_no_header_can_begin_a_new_line(http1_client: Client) -> None:
    asked = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)

    headers = {"a": "1\r\nb: 2\n\nc\0", "d\r\ne": "\xe9 \u20ac"}
    async with serving(speak) as server:
        await whole(await http1_client.request("GET", server.url, "/", headers))
    lines = asked[0].split(b"\r\n")
    assert lines[3:] == [b"a: 1b: 2c", b"de: \xe9 ?", b"", b""]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h", Origin(False, "h", 80, "", "h")),
        ("https://h/b", Origin(True, "h", 443, "/b", "h")),
        ("http://[::1]:8000/a/b?q#f", Origin(False, "::1", 8000, "/a/b", "[::1]:8000")),
        ("http://user:secret@H:81", Origin(False, "h", 81, "", "H:81")),
    ],
)
def test_an_address_is_taken_apart(url: str, expected: Origin) -> None:
    assert Origin.of(url) == expected


async def test_a_body_may_end_with_its_connection(http1_client: Client) -> None:
    async with serving(saying(TO_THE_END + MEGABYTE)) as server:
        assert (await get(http1_client, server.url)).body == MEGABYTE


async def test_interim_answers_are_passed_over_with_their_headers(http1_client: Client) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    async with serving(always(hints + hints + b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nX-B:\r\n" + OK[17:])) as server:
        assert await get(http1_client, server.url) == Answer(
            200, {"x-a": "1, 2", "x-b": "", "content-length": "2"}, b"ok"
        )


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 O",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nx: " + MEGABYTE,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 40_000,
    ],
    ids=["nothing", "cut", "interim only", "ssh", "two lengths", "smuggled", "upgrade", "long", "interim for ever"],
)
async def test_what_is_no_answer_is_told_as_a_broken_connection(http1_client: Client, answer: bytes) -> None:
    async with serving(saying(answer)) as server:
        with pytest.raises(ConnectionBroke):
            await http1_client.request("GET", server.url, "/", {})
        await server.all_ended()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok",
        CHUNKED + b"2\r\nok\r\n",
        CHUNKED + b"2\r\nok\r\nmore\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok",
        CHUNKED + b"2\r\nok\r\n0\r\nx: " + MEGABYTE,
    ],
    ids=["short", "unfinished", "no chunk", "unknown coding", "trailer for ever"],
)
async def test_an_answer_that_breaks_off_is_never_taken_for_whole(http1_client: Client, answer: bytes) -> None:
    async with serving(saying(answer)) as server:
        response = await http1_client.request("GET", server.url, "/", {})
        with pytest.raises(ConnectionBroke):
            await whole(response)
        response.close()
        await server.all_ended()


async def test_a_reset_is_no_end_of_a_body(http1_client: Client) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(TO_THE_END)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with serving(speak) as server:
        with pytest.raises(ConnectionBroke):
            await get(http1_client, server.url)


async def test_an_answer_may_come_before_the_request_is_written(http1_client: Client) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await left.wait()

    left = asyncio.Event()
    async with serving(speak) as server:
        response = await http1_client.request("POST", server.url, "/", {}, MEGABYTE * 32)
        assert (response.status, await whole(response)) == (413, b"no")
        left.set()
        await server.all_ended()


async def test_a_slow_reader_holds_the_server_back(http1_client: Client) -> None:
    sent = 0

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(MEGABYTE) * 64}\r\n\r\n".encode())
        for _ in range(64):
            writer.write(MEGABYTE)
            await writer.drain()
            sent += 1

    async with serving(speak) as server:
        response = await http1_client.request("GET", server.url, "/", {})
        seen, quiet = -1, 0
        while quiet < 20:
            seen, quiet = sent, quiet + 1 if sent == seen else 0
            await asyncio.sleep(0.005)
        assert sent < 64
        assert sum([len(part) async for part in parts_of(response)]) == len(MEGABYTE) * 64


async def parts_of(response: Response) -> AsyncIterator[bytes]:
    while part := await response.read():
        yield part


BODY = b'data: {"a": 1}\n\n' * 3
LENGTH = b"HTTP/1.1 200 OK\r\nX-A: b\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY
TWO_CHUNKS = b"5\r\n" + BODY[:5] + b"\r\n%x;e=f\r\n" % len(BODY[5:]) + BODY[5:] + b"\r\n0\r\n"
FORMS = {
    "length": (LENGTH, True),
    "chunked": (CHUNKED + TWO_CHUNKS + b"\r\n", True),
    "trailers": (CHUNKED + TWO_CHUNKS + b"x-a: b\r\nx-c:\r\n\r\n", True),
    "interim": (b"HTTP/1.1 103 E\r\nl: m\r\n\r\n" + LENGTH, True),
    "to the end": (TO_THE_END + BODY, False),
}
"""What is written, and whether the connection can serve again."""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_an_answer_reads_the_same_wherever_it_is_cut(
    form: str, runner: Callable[[Coroutine[Any, Any, list[Answer]]], list[Answer]]
) -> None:
    answer, serves_again = FORMS[form]

    async def read_twice(parts: list[bytes]) -> list[Answer]:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await read_request(reader):
                await write_in_parts(writer, parts)
                if not serves_again:
                    return

        client = Client(connect_s=10)
        async with serving(speak) as server:
            answers = [await get(client, server.url) for _ in range(2)]
            assert server.accepted == (1 if serves_again else 2)
            await client.close()
            await server.all_ended()
        return answers

    expected = runner(read_twice([answer]))
    assert expected[0] == expected[1]
    assert expected[0].body == BODY

    @settings(max_examples=15)
    @given(st.lists(st.integers(1, len(answer) - 1), max_size=len(answer)))
    def same(places: list[int]) -> None:
        assert runner(read_twice(cut(answer, places))) == expected

    same()
    assert runner(read_twice([answer[at : at + 1] for at in range(len(answer))])) == expected


async def poured(http1_client: Client, url: str, sink: Callable[[bytes], None]) -> None:
    response = await http1_client.request("GET", url, "/", {})
    try:
        await response.pour(sink)
    finally:
        response.close()


@pytest.mark.parametrize("form", FORMS)
async def test_a_body_can_be_poured_as_it_comes(form: str, http1_client: Client) -> None:
    answer, again = FORMS[form]
    for place in range(len(answer)):

        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: int = place) -> None:
            while await read_request(reader):
                await write_in_parts(writer, [answer[:place], answer[place:]])
                if not again:
                    return

        parts: list[bytes] = []
        async with serving(speak) as server:
            await poured(http1_client, server.url, parts.append)
        assert b"".join(parts) == BODY
        assert all(parts)


async def test_what_the_sink_raises_comes_out_and_ends_the_connection(http1_client: Client) -> None:
    left = asyncio.Event()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED + b"1\r\na\r\n")
        await reader.read()
        left.set()

    def refuse(_: bytes) -> None:
        raise LookupError("not this")

    async with serving(speak) as server:
        with pytest.raises(LookupError, match="not this"):
            await poured(http1_client, server.url, refuse)
        await left.wait()


async def test_a_poured_body_may_break(http1_client: Client) -> None:
    parts: list[bytes] = []
    async with serving(saying(CHUNKED + b"1\r\na\r\n")) as server:
        with pytest.raises(ConnectionBroke):
            await poured(http1_client, server.url, parts.append)
    assert parts == [b"a"]
