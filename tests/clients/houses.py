"""A gateway before each kind of upstream, and the scripted model behind it."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from anthropic.types import ContentBlock, StopReason

from tests.clients.desk import API_KEY
from tests.clients.scripted_model import Asked, Plan, Script, Trouble, never, read, speaks
from tests.fixtures.gateway import Gateway, start_gateway, vllm_route
from tests.fixtures.messages_server import (
    Ending,
    Fails,
    MessagesServer,
    Says,
    claude_route,
    text,
    thinking,
    tool_use,
    usage,
)
from tests.fixtures.upstream import Upstream


class Play(Protocol):
    def __call__(self, script: Script, plan: Plan = never) -> None: ...


@dataclass(frozen=True, slots=True)
class House:
    """``play`` gives the model its script, and the trouble that it has; ``asked`` is what reached it since then.

    ``upstream`` is the model server's own address.
    """

    gateway: Gateway
    upstream: str
    play: Play
    asked: Callable[[], list[Asked]]


ALIASES = ("claude-haiku-4-5", "gpt-5")
_SOME = 5
"""Events of a stream that breaks: a little text is among them."""
_ENDINGS: dict[Trouble, Ending] = {"cut": "cut", "short": "closed", "error": "error"}


def config_of(route: dict[str, Any]) -> dict[str, Any]:
    """Without a cache: the tests ask the same again."""
    return {
        "routes": {"only": route},
        "policies": {"auto": {"objective": "cheapest"}},
        "aliases": dict.fromkeys(ALIASES, "auto"),
        "api_key": API_KEY,
        "cache": {"enabled": False},
    }


@contextmanager
def vllm_house(folder: Path) -> Iterator[House]:
    server = Upstream()
    gateway = start_gateway(folder, config_of(vllm_route(server.url, context_window=128_000)), api_key=API_KEY)

    def play(script: Script, plan: Plan = never) -> None:
        server.received.clear()
        server.behaviour = speaks(script, plan)

    try:
        yield House(
            gateway, server.url, play, lambda: [read(received.path, received.json) for received in server.received]
        )
    finally:
        gateway.stop()
        server.close()


@contextmanager
def claude_house(folder: Path) -> Iterator[House]:
    numbers = itertools.count(1)
    with contextmanager(MessagesServer().running)() as server:
        gateway = start_gateway(folder, config_of(claude_route(server.url, unsupported_tools="drop")), api_key=API_KEY)

        def play(script: Script, plan: Plan = never) -> None:
            server.received.clear()
            answers = itertools.count(1)
            server.script = lambda body: _answer(script, body, next(numbers), plan(next(answers)))

        try:
            yield House(
                gateway, server.url, play, lambda: [read("/v1/messages", received.body) for received in server.received]
            )
        finally:
            gateway.stop()


def _answer(script: Script, body: dict[str, Any], number: int, trouble: Trouble | None) -> Says | Fails:
    if trouble in ("refused", "limited"):
        return Fails("rate_limit_error", retry_after="1") if trouble == "limited" else Fails("overloaded_error")
    turn = script(read("/v1/messages", body))
    blocks: list[ContentBlock] = [text(turn.text)]
    reason: StopReason = "end_turn"
    if body.get("thinking", {}).get("type") == "enabled":
        blocks = [thinking("Let me see."), *blocks]
    if turn.tool is not None:
        assert isinstance(turn.given, dict)
        blocks, reason = [*blocks, tool_use(turn.tool, number, **turn.given)], "tool_use"
    if trouble is None:
        return Says(blocks, reason, usage(thought=len(blocks)))
    return Says(blocks, reason, events=_SOME, ending=_ENDINGS[trouble])
