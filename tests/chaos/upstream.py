"""A model server that misbehaves by seed, and keeps its own log of what it was asked and what it said.

`python -m tests.chaos.upstream NAME PORT SEED LOG`. It may be killed at any moment: a line of the log is written, in
one piece, before what it tells of is done. In the log an ``asked`` line names the usage that the answer is going to
report, a ``said`` line how many words went out in the end.
"""

import asyncio
import contextlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import click

from tests.chaos.faults import Conduct, conduct
from tests.chaos.plan import CANARY
from tests.chaos.speech import BY_PATH, WireName, asked_text, closing, error_event, opening, whole, word_event

USER_SEPARATOR = "|"
"""The body's ``user`` is the ask's id and its tenant: it is passed on, and no part of what the cache goes by."""

_STALL_S = 60.0
_FAILURES = {"429": (429, "retry-after: 1\r\n"), "500": (500, ""), "529": (529, "")}
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_PAGES: dict[str, Any] = {
    "/health": {},
    "/version": {"version": "0.32.0"},
    "/v1/models": {"data": [{"id": "m", "root": "m", "max_model_len": 4096}]},
}


class _Gone(Exception):
    """The other side has left, or is to be left without a word."""


class Server:
    def __init__(self, name: str, seed: int, log: Path) -> None:
        self._name = name
        self._seed = seed
        self._log = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._turns: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, _Gone):
            while (request := await _request(reader)) is not None:
                path, body = request
                if (wire := BY_PATH.get(path)) is not None:
                    await self._answer(wire, json.loads(body), reader, writer)
                elif path in _PAGES:
                    await _send(writer, _json(200, json.dumps(_PAGES[path]).encode()))
                else:
                    await _send(writer, _json(404, b"{}"))
        writer.transport.abort()

    async def _answer(
        self, wire: WireName, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        ask, tenant = body["user"].split(USER_SEPARATOR)
        turn = self._turns[ask]
        self._turns[ask] += 1
        topic = asked_text(wire, body).removeprefix(CANARY).strip().replace(" ", "_")
        plan = conduct(self._seed, self._name, ask, turn, mark(tenant, ask, topic))
        usage = None if plan.fault == "no usage" else plan.usage
        counts = [plan.usage.input, plan.usage.cached, plan.usage.output]
        asked = {"event": "asked", "ask": ask, "turn": turn, "server": self._name, "fault": plan.fault}
        self._write({**asked, "usage": counts if usage is not None else None, "words": len(plan.words)})
        speaking = _Speaking(wire, plan, reader, writer)
        try:
            if plan.fault in _FAILURES:
                status, headers = _FAILURES[plan.fault]
                await _send(writer, _json(status, b'{"error": {"message": "chaos"}}', headers))
            elif plan.fault == "reset before the answer":
                raise _Gone
            elif plan.fault == "silence before the answer":
                await _silence(reader)
            elif body.get("stream"):
                await speaking.stream((body.get("stream_options") or {}).get("include_usage") is True)
            else:
                await speaking.whole()
        finally:
            self._write({"event": "said", "ask": ask, "turn": turn, "server": self._name, "said": speaking.said})

    def _write(self, event: dict[str, Any]) -> None:
        os.write(self._log, json.dumps(event).encode() + b"\n")


class _Speaking:
    """One answer. ``said``: how many words have been written, or are just being written."""

    def __init__(
        self, wire: WireName, plan: Conduct, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.said = 0
        self._wire = wire
        self._plan = plan
        self._usage = None if plan.fault == "no usage" else plan.usage
        self._reader = reader
        self._writer = writer

    async def whole(self) -> None:
        plan, answer = self._plan, whole(self._wire, self._plan.words, self._usage)
        await asyncio.sleep(plan.pause_s * len(plan.words) / 4)
        if plan.fault in ("none", "slow", "no usage"):
            self.said = len(plan.words)
            await _send(self._writer, _json(200, answer))
        elif plan.fault == "endless":
            await _send(self._writer, b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + answer[:-1])
            while True:
                await _send(self._writer, b" " * 8192)
        elif plan.fault in ("garbage midway", "unfinished", "empty"):
            await _send(self._writer, _json(200, answer[: len(answer) // 2] if plan.fault != "empty" else b""))
        else:
            head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
            await _send(self._writer, head.encode() + answer[: len(answer) // 2])
            if plan.fault == "silence midway":
                await _silence(self._reader)
            raise _Gone

    async def stream(self, asked_for_usage: bool) -> None:
        plan, wire = self._plan, self._wire
        await _send(self._writer, _STREAM_HEAD)
        if plan.fault == "empty":
            await _send(self._writer, b"0\r\n\r\n")
            return
        if first := opening(wire, self._usage):
            await self._chunk(first)
        complete = plan.fault in ("none", "slow", "no usage", "endless")
        for word in plan.words if complete else plan.words[: plan.midway]:
            await self._word(word)
        while plan.fault == "endless":
            await self._word("more")
        if complete:
            await self._chunk(closing(wire, plan.words, self._usage, asked_for_usage))
        elif plan.fault == "garbage midway":
            await self._chunk(b"data: {this is no JSON\n\n")
        elif plan.fault == "error midway":
            await self._chunk(error_event(wire))
        elif plan.fault == "silence midway":
            await _silence(self._reader)
        elif plan.fault == "reset midway":
            raise _Gone
        await _send(self._writer, b"0\r\n\r\n")

    async def _word(self, word: str) -> None:
        await asyncio.sleep(self._plan.pause_s)
        self.said += 1
        await self._chunk(word_event(self._wire, word))

    async def _chunk(self, data: bytes) -> None:
        await _send(self._writer, b"%x\r\n%s\r\n" % (len(data), data))


def mark(tenant: str, ask: str, topic: str) -> str:
    """The first word of the answer to this ask."""
    return f"<{tenant}{USER_SEPARATOR}{ask}{USER_SEPARATOR}{topic}>"


async def _silence(reader: asyncio.StreamReader) -> None:
    """Until the other side leaves."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_STALL_S):
            await reader.read()
    raise _Gone


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
    if writer.is_closing():
        raise _Gone


def _json(status: int, body: bytes, headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _request(reader: asyncio.StreamReader) -> tuple[str, bytes] | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    lines = head.split("\r\n")
    lengths = [line.partition(":")[2] for line in lines if line.lower().startswith("content-length:")]
    body = await reader.readexactly(int(lengths[0])) if lengths else b""
    return lines[0].split(" ")[1], body


@click.command()
@click.argument("name")
@click.argument("port", type=int)
@click.argument("seed", type=int)
@click.argument("log", type=click.Path(path_type=Path))
def main(name: str, port: int, seed: int, log: Path) -> None:
    asyncio.run(_main(Server(name, seed, log), port))


async def _main(serving: Server, port: int) -> None:
    server = await asyncio.start_server(serving.serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    main()
