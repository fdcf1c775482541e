"""A gateway before each kind of upstream, and the scripted model behind it."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.desk import API_KEY
from tests.clients.scripted_model import Asked, Script, read, speaks
from tests.fixtures.gateway import Gateway, start_gateway, vllm_route
from tests.fixtures.messages_server import MessagesServer, Says, claude_route, text, tool_use
from tests.fixtures.upstream import Upstream


@dataclass(frozen=True, slots=True)
class House:
    """``play`` gives the model its script; ``asked`` is what reached it since then."""

    gateway: Gateway
    play: Callable[[Script], None]
    asked: Callable[[], list[Asked]]


def _config(route: dict[str, Any]) -> dict[str, Any]:
    policies = {"auto": {"objective": "cheapest"}}
    return {"routes": {"only": route}, "policies": policies, "api_key": API_KEY}


@contextmanager
def vllm_house(folder: Path) -> Iterator[House]:
    server = Upstream()
    gateway = start_gateway(folder, _config(vllm_route(server.url, context_window=128_000)), api_key=API_KEY)

    def play(script: Script) -> None:
        server.received.clear()
        server.behaviour = speaks(script)

    yield House(gateway, play, lambda: [read(received.path, received.json) for received in server.received])
    gateway.stop()
    server.close()


@contextmanager
def claude_house(folder: Path) -> Iterator[House]:
    numbers = itertools.count(1)
    with contextmanager(MessagesServer().running)() as server:
        gateway = start_gateway(folder, _config(claude_route(server.url)), api_key=API_KEY)

        def play(script: Script) -> None:
            server.received.clear()
            server.script = lambda body: _answer(script, body, next(numbers))

        yield House(gateway, play, lambda: [read("/v1/messages", received.body) for received in server.received])
        gateway.stop()


def _answer(script: Script, body: dict[str, Any], number: int) -> Says:
    turn = script(read("/v1/messages", body))
    if turn.tool is None:
        return Says((text(turn.text),))
    assert isinstance(turn.given, dict)
    return Says((text(turn.text), tool_use(turn.tool, number, **turn.given)), stop_reason="tool_use")
