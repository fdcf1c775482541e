"""The Valkey client against a real Valkey, and against servers that misbehave."""

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import hiredis
import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from gateway.processes.embedded_valkey import EmbeddedValkey
from gateway.valkey import Valkey, ValkeyError
from tests.fixtures.wire_server import Speech, WireServer, cut, eventually, serving, write_in_parts

pytestmark = [pytest.mark.worker_loop, pytest.mark.usefixtures("no_complaints")]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedValkey]:
    server = EmbeddedValkey(tmp_path / "v.sock")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def valkey(server: EmbeddedValkey, tmp_path: Path) -> AsyncIterator[Valkey]:
    async for client in patient(f"unix://{tmp_path}/v.sock"):
        yield client


async def patient(url: str) -> AsyncIterator[Valkey]:
    client = Valkey(url, connect_s=10, reply_s=10)
    yield client
    await client.close()
    await asyncio.sleep(0)


def at(server: WireServer, *, connect_s: float = 10, reply_s: float = 10, user: str = "") -> Valkey:
    return Valkey(f"redis://{user}127.0.0.1:{server.port}", connect_s=connect_s, reply_s=reply_s)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def echoing(*, passing_over: int = 0) -> Speech:
    """A server that replies to ``ECHO x`` with x, but not to the first few connections."""
    connections = 0

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        if connections <= passing_over:
            return await silent(reader, writer)
        commands = hiredis.Reader()
        while data := await reader.read(65536):
            commands.feed(data)
            while (command := commands.gets()) is not False:
                writer.write(b"$%d\r\n%s\r\n" % (len(command[1]), command[1]))

    return speak


async def test_replies_of_every_kind(valkey: Valkey) -> None:
    assert await valkey.ask("SET", "k", b"\xff\r\n", "PX", 60_000) == b"OK"
    assert await valkey.ask("GET", "k") == b"\xff\r\n"
    assert await valkey.ask("GET", "nothing") is None
    assert await valkey.ask_all([("RPUSH", "l", "a", 1), ("LRANGE", "l", 0, -1), ("LLEN", "l")]) == [2, [b"a", b"1"], 2]


async def test_no_commands_have_no_replies(valkey: Valkey) -> None:
    assert await valkey.ask_all([]) == []


async def test_an_error_among_many_replies_is_raised_and_harms_no_other(valkey: Valkey) -> None:
    with pytest.raises(ValkeyError, match="wrong number of arguments"):
        await valkey.ask_all([("SET", "a", 1), ("GET",), ("SET", "b", 2), ("NONSENSE",), ("SET", "c", 3)])
    with pytest.raises(ValkeyError, match="unknown command"):
        await valkey.ask("NONSENSE")
    assert await valkey.ask("MGET", "a", "b", "c") == [b"1", b"2", b"3"]


async def test_many_first_callers_share_one_connection(valkey: Valkey) -> None:
    words = [f"w{number}" for number in range(300)]
    assert await asyncio.gather(*(valkey.ask("ECHO", word) for word in words)) == [word.encode() for word in words]
    assert (await valkey.ask("CLIENT", "LIST")).count(b"id=") == 1


async def test_whoever_leaves_takes_nobodys_reply(valkey: Valkey) -> None:
    dice = random.Random(7)
    for _ in range(20):
        asking = [asyncio.create_task(valkey.ask("ECHO", number)) for number in range(50)]
        asking.append(asyncio.create_task(valkey.ask_all([("ECHO", "x"), ("ECHO", "y")])))
        leaving = {number for number in range(51) if dice.random() < 0.5}
        for _ in range(dice.randrange(6)):
            await asyncio.sleep(0)
        for number in leaving:
            asking[number].cancel()
        replies = await asyncio.gather(*asking, return_exceptions=True)
        for number, reply in enumerate(replies):
            expected = [b"x", b"y"] if number == 50 else str(number).encode()
            assert reply == expected or (number in leaving and isinstance(reply, asyncio.CancelledError))


async def test_a_command_that_cannot_be_written_shifts_no_reply(valkey: Valkey) -> None:
    await valkey.ask("PING")
    with pytest.raises(UnicodeEncodeError):
        await valkey.ask("ECHO", "\ud800")
    assert await asyncio.gather(*(valkey.ask("ECHO", word) for word in "ab")) == [b"a", b"b"]


async def test_user_password_and_database(valkey: Valkey, tmp_path: Path) -> None:
    await valkey.ask_all([("SET", "k", "in 0"), ("CONFIG", "SET", "requirepass", "pa ss")])
    await valkey.ask("ACL", "SETUSER", "me", "on", ">mine", "allkeys", "allcommands")
    for who, place in ((":pa%20ss@", 0), ("me:mine@", 3)):
        async for client in patient(f"unix://{who}{tmp_path}/v.sock?db={place}"):
            assert await client.ask("GET", "k") == (b"in 0" if place == 0 else None)
    for who, database, error in (("", 0, "NOAUTH"), ("me:wrong@", 0, "WRONGPASS"), ("me:mine@", 99, "out of range")):
        async for client in patient(f"unix://{who}{tmp_path}/v.sock?db={database}"):
            with pytest.raises(ValkeyError, match=error):
                await client.ask("GET", "k")


async def test_tls_needs_a_certificate_that_is_trusted(
    localhost_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, localhost_certificate: Path
) -> None:
    async with serving(echoing(), tls=localhost_tls) as server:
        url = f"rediss://localhost:{server.port}"
        with pytest.raises(ValkeyError, match="CERTIFICATE_VERIFY_FAILED"):
            await Valkey(url, connect_s=10, reply_s=10).ask("ECHO", "a")
        monkeypatch.setenv("SSL_CERT_FILE", str(localhost_certificate))
        async for client in patient(url):
            assert await client.ask("ECHO", "a") == b"a"
        await server.all_ended()


async def test_a_server_that_dies_is_told_and_found_again(server: EmbeddedValkey, valkey: Valkey) -> None:
    await valkey.ask("SET", "k", 1)
    waiting = [asyncio.create_task(valkey.ask("BLPOP", "never", 0)) for _ in range(3)]
    waiting.append(asyncio.create_task(valkey.ask_all([("GET", "k"), ("GET", "k")])))
    await asyncio.sleep(0.01)
    await server.stop()
    assert {type(reply) for reply in await asyncio.gather(*waiting, return_exceptions=True)} == {ValkeyError}
    with pytest.raises(ValkeyError):
        await valkey.ask("GET", "k")
    await server.start()
    deadline = time.monotonic() + 60
    while True:
        try:
            assert await valkey.ask("GET", "k") is None
            break
        except ValkeyError:  # its socket is there before it listens
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)


async def test_a_silent_server_is_given_up_for_all_at_once() -> None:
    async with serving(echoing(passing_over=1)) as server:
        valkey = at(server, reply_s=1)
        asking = [valkey.ask("ECHO", number) for number in range(5)] + [valkey.ask_all([("ECHO", "x")] * 3)]
        told = await asyncio.gather(*asking, return_exceptions=True)
        assert {str(error) for error in told} == {"Valkey did not reply in time"}
        assert await valkey.ask("ECHO", "again") == b"again"
        await valkey.close()
        await server.all_ended()


async def test_a_loop_that_was_held_up_takes_no_server_for_silent(server: EmbeddedValkey, tmp_path: Path) -> None:
    valkey = Valkey(f"unix://{tmp_path}/v.sock", connect_s=10, reply_s=1)
    assert await valkey.ask("ECHO", "a") == b"a"
    asking = asyncio.create_task(valkey.ask("ECHO", "b"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with Redis(unix_socket_path=f"{tmp_path}/v.sock") as other:  # holds us up until the reply waits in our socket
        other.ping()
        other.ping()
    time.sleep(1.1)  # noqa: ASYNC251
    assert await asking == b"b"
    await valkey.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    "bytes_sent",
    [b"HTTP/1.1 400 Bad Request\r\n", b"+OK\r\n" * 3, b"*99999999999999999999\r\n", b"$5\r\nab", b""],
    ids=["http", "one too many", "huge", "cut", "nothing"],
)
async def test_garbage_ends_the_connection_and_not_the_client(bytes_sent: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(bytes_sent)

    async with serving(speak) as server:
        valkey = at(server)
        for _ in range(2):
            told = await asyncio.gather(*(valkey.ask("PING") for _ in range(2)), return_exceptions=True)
            await server.all_ended()
            if bytes_sent.startswith(b"+"):
                assert told == [b"OK", b"OK"]
            else:
                assert [type(error) for error in told] == [ValkeyError, ValkeyError]
        assert server.accepted == 2
        await valkey.close()


async def test_a_connect_that_fails_is_told_to_all_who_wait(tmp_path: Path) -> None:
    for url in (f"unix://{tmp_path}/nobody.sock", f"redis://{'a' * 64}.invalid"):
        valkey = Valkey(url, connect_s=10, reply_s=10)
        told = await asyncio.gather(*(valkey.ask("PING") for _ in range(3)), return_exceptions=True)
        assert {type(error) for error in told} == {ValkeyError}


async def test_a_connect_ends_in_time_though_all_who_waited_have_left() -> None:
    async with serving(silent) as server:
        valkey = at(server, connect_s=1, user=":secret@")
        with pytest.raises(ValkeyError, match="no connection to Valkey in time"):
            await valkey.ask("PING")
        leaving = [asyncio.create_task(valkey.ask("PING")) for _ in range(3)]
        await eventually(lambda: server.accepted == 2)
        for task in leaving:
            task.cancel()
        assert {type(error) for error in await asyncio.gather(*leaving, return_exceptions=True)} == {
            asyncio.CancelledError
        }
        await server.all_ended()  # and no complaint that nobody asked for its failure


@pytest.mark.parametrize("user", ["", ":secret@"], ids=["asking", "connecting"])
async def test_closing_tells_those_who_wait(user: str) -> None:
    async with serving(silent) as server:
        valkey = at(server, user=user)
        waiting = [asyncio.create_task(valkey.ask("PING")) for _ in range(3)]
        await eventually(lambda: server.accepted == 1)
        await valkey.close()
        assert {type(error) for error in await asyncio.gather(*waiting, return_exceptions=True)} == {ValkeyError}
        with pytest.raises(ValkeyError, match="closed"):
            await valkey.ask("PING")
        await server.all_ended()


REPLIES: dict[bytes, object] = {
    b"+OK\r\n": b"OK",
    b"$4\r\n\r\n\r\n\r\n": b"\r\n\r\n",
    b":-1\r\n": -1,
    b"$-1\r\n": None,
    b"*2\r\n$1\r\na\r\n*1\r\n:2\r\n": [b"a", [2]],
    b"$0\r\n\r\n": b"",
    b"-ERR no\r\n": "ERR no",
}


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_replies_reach_their_askers_wherever_they_are_cut(
    runner: Callable[[Coroutine[object, object, list[object]]], list[object]],
) -> None:
    async def ask_all_at_once(parts: list[bytes]) -> list[object]:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            commands, asked = hiredis.Reader(), 0
            while asked < len(REPLIES):
                commands.feed(await reader.read(65536))
                while commands.gets() is not False:
                    asked += 1
            await write_in_parts(writer, parts)

        async with serving(speak) as server:
            valkey = at(server)
            replies = await asyncio.gather(*(valkey.ask("GET", "k") for _ in REPLIES), return_exceptions=True)
            await valkey.close()
            await server.all_ended()
        return [str(reply) if isinstance(reply, ValkeyError) else reply for reply in replies]

    wire = b"".join(REPLIES)

    @settings(max_examples=30)
    @given(st.lists(st.integers(1, len(wire) - 1), max_size=len(wire)))
    def same(places: list[int]) -> None:
        assert runner(ask_all_at_once(cut(wire, places))) == list(REPLIES.values())

    same()
