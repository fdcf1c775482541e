"""Connections of the HTTP/1.1 client: made, kept, given up."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from backends.http1 import Client, ConnectFailed, ConnectionBroke
from tests.fixtures.http1 import CHUNKED, OK, TO_THE_END, always, get, read_request, silent
from tests.fixtures.wire_server import eventually, serving

pytestmark = [pytest.mark.worker_loop, pytest.mark.usefixtures("no_complaints")]


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 12\r\n\r\n",
        CHUNKED + b"2\r\nok\r\n0\r\n\r\n",
        CHUNKED + b"2;e=1\r\nok\r\n0\r\nx-sum: 1\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
    ],
)
async def test_a_connection_that_was_read_to_its_end_serves_again(http1_client: Client, answer: bytes) -> None:
    async with serving(always(answer)) as server:
        for _ in range(3):
            found = await get(http1_client, server.url)
            assert found.body == (b"" if found.status in (204, 304) else b"ok")
        assert server.accepted == 1
        await asyncio.gather(*(get(http1_client, server.url) for _ in range(3)))
        assert server.accepted == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + OK,
        OK + b"garbage",
    ],
    ids=["close", "1.0", "two at once", "garbage behind"],
)
async def test_a_connection_that_cannot_serve_again_is_closed(http1_client: Client, answer: bytes) -> None:
    async with serving(always(answer)) as server:
        for number in (1, 2):
            assert (await get(http1_client, server.url)).body == b"ok"
            assert server.accepted == number
            await server.all_ended()


async def test_an_answer_left_unread_ends_its_connection(http1_client: Client) -> None:
    async with serving(always(CHUNKED + b"2\r\nok\r\n")) as server:
        response = await http1_client.request("GET", server.url, "/", {})
        assert await response.read() == b"ok"
        response.close()
        response.close()
        assert await response.read() == b""
        await server.all_ended()


async def test_nothing_is_repeated_by_itself(http1_client: Client) -> None:
    asked = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            asked.append(await read_request(reader))
            writer.write(OK if len(asked) == 1 else b"")

    async with serving(speak) as server:
        await get(http1_client, server.url)
        with pytest.raises(ConnectionBroke):
            await get(http1_client, server.url)
    assert len(asked) == 2


async def test_a_server_that_speaks_or_leaves_while_idle_gets_no_further_request(http1_client: Client) -> None:
    for last_words in (b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n", b""):
        go = asyncio.Event()

        async def speak(
            reader: asyncio.StreamReader,
            writer: asyncio.StreamWriter,
            go: asyncio.Event = go,
            last_words: bytes = last_words,
        ) -> None:
            while await read_request(reader):
                writer.write(OK)
                await go.wait()
                writer.write(last_words)
                if not last_words:
                    return

        async with serving(speak) as server:
            await get(http1_client, server.url)
            go.set()
            await server.all_ended()
            assert (await get(http1_client, server.url)).body == b"ok"
            assert server.accepted == 2


async def test_an_idle_connection_is_closed_after_a_while() -> None:
    client = Client(connect_s=10, idle_s=0.02)
    async with serving(always(OK)) as server:
        await asyncio.gather(*(get(client, server.url) for _ in range(3)))
        await server.all_ended()
        assert (await get(client, server.url)).body == b"ok"
        await server.all_ended()
    await client.close()


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ConnectFailed, match=f"127.0.0.1:{port}: "):
            await get(Client(connect_s=10), f"http://127.0.0.1:{port}")
    with pytest.raises(ConnectFailed, match="no host name"):
        await get(Client(connect_s=10), f"http://{'a' * 64}.invalid")


async def test_a_connect_ends_in_time() -> None:
    async with serving(silent) as server:  # it never answers TLS
        with pytest.raises(ConnectFailed, match="in time"):
            await get(Client(connect_s=0.5), f"https://127.0.0.1:{server.port}")
        await server.all_ended()


async def test_ipv6(http1_client: Client) -> None:
    try:
        async with serving(always(OK), host="::1") as server:
            assert (await get(http1_client, f"http://[::1]:{server.port}")).body == b"ok"
    except OSError as error:
        if isinstance(error, ConnectFailed | ConnectionBroke):
            raise
        pytest.skip(f"no IPv6 here: {error}")


async def test_tls_needs_a_certificate_that_is_trusted(
    localhost_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, localhost_certificate: Path
) -> None:
    async with serving(always(OK), tls=localhost_tls) as server:
        url = f"https://localhost:{server.port}"
        with pytest.raises(ConnectFailed, match="CERTIFICATE_VERIFY_FAILED"):
            await get(Client(connect_s=10), url)
        monkeypatch.setenv("SSL_CERT_FILE", str(localhost_certificate))
        client = Client(connect_s=10)
        for _ in range(2):
            assert (await get(client, url)).body == b"ok"
        assert server.accepted == 1
        with pytest.raises(ConnectFailed, match="CERTIFICATE_VERIFY_FAILED"):
            await get(client, url.replace("localhost", "127.0.0.1"))
        await client.close()
        await server.all_ended()


async def test_plain_http_is_no_tls(http1_client: Client) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(speak) as server:
        with pytest.raises(ConnectFailed):
            await get(http1_client, f"https://127.0.0.1:{server.port}")
        await server.all_ended()


@pytest.mark.parametrize(
    "answer", [b"", TO_THE_END, CHUNKED + b"2\r\nok\r\n"], ids=["waiting", "to the end", "chunked"]
)
async def test_closing_breaks_off_what_is_under_way(http1_client: Client, answer: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.heard.append(await read_request(reader))
        writer.write(answer)
        await reader.read()

    async with serving(speak) as server:
        under_way = asyncio.create_task(get(http1_client, server.url))
        await eventually(lambda: bool(server.heard))
        await http1_client.close()
        with pytest.raises(ConnectionBroke):
            await under_way
        await server.all_ended()
        with pytest.raises(ConnectionBroke):
            await get(http1_client, server.url)
        await server.all_ended()


async def test_a_connect_that_is_under_way_at_closing_leaves_nothing_open() -> None:
    client = Client(connect_s=10)
    async with serving(always(OK)) as server:
        under_way = asyncio.create_task(get(client, server.url))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(ConnectionBroke):
            await under_way
        await server.all_ended()


@pytest.mark.parametrize("cancel", [True, False], ids=["cancelled", "out of time"])
async def test_whoever_leaves_at_any_moment_leaves_nothing_open(http1_client: Client, cancel: bool) -> None:
    async with serving(always(CHUNKED + b"2\r\nok\r\n")) as server:
        for turns in range(25):
            asking = asyncio.create_task(get(http1_client, server.url))
            for _ in range(turns):
                await asyncio.sleep(0)
            if cancel:
                asking.cancel()
            with pytest.raises((asyncio.CancelledError, TimeoutError)):
                async with asyncio.timeout(None if cancel else 0):
                    await asking
        await server.all_ended()


async def test_a_connect_out_of_time_at_any_moment_leaves_nothing_open() -> None:
    async with serving(always(OK)) as server:
        for number in range(40):
            client = Client(connect_s=number * 1e-5)
            try:
                assert (await get(client, server.url)).body == b"ok"
            except ConnectFailed:
                await server.all_ended()
            await client.close()
        await server.all_ended()
