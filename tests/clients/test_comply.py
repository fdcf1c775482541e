"""llm-comply, which holds answers against the official OpenAPI specifications: what it says of a route's answers."""

import asyncio
import json
import re
import subprocess
from pathlib import Path

import aiohttp
import pytest

from tests.clients.desk import API_KEY, Programs
from tests.clients.houses import House, config_of
from tests.clients.scripted_model import Asked, Turn
from tests.fixtures.gateway import start_gateway, vllm_route
from tests.fixtures.messages_server import KEY
from tests.fixtures.upstream import Behaviour, Received, Upstream
from tests.fixtures.vllm import VllmServer

MODELS = {"openai-chat": "gpt-5", "open-responses": "gpt-5", "anthropic": "claude-haiku-4-5"}
"""By wire: names of which it expects that they think, so that it leaves none of its tests out."""
_OBJECT = re.compile(r"{.*}")


def script(asked: Asked) -> Turn:
    return Turn("I look.", "get_weather", {"location": "Bern"}) if asked.tools else Turn("Hello there, you.")


def complaints(programs: Programs, wire: str, url: str, key: str = API_KEY) -> dict[str, list[str]]:
    """What it finds wrong, by the name of its test; a test that is left out is one, a mere warning is none."""
    told = ["--format", wire, "-u", f"{url}/v1", "-k", key, "-m", MODELS[wire], "-H", "anthropic-version:2023-06-01"]
    ran = subprocess.run(
        ["llm-comply", *told, "--json", "--timeout", "300"],
        env={"PATH": programs.path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout, ran.stderr
    results = json.loads(ran.stdout)["results"]
    assert len(results) >= 9
    return {result["id"]: result["errors"] for result in results if result["status"] != "passed"}


@pytest.mark.parametrize("wire", MODELS)
def test_a_route_to_claude_complies(wire: str, claude: House, comply: Programs) -> None:
    claude.play(script)
    assert complaints(comply, wire, claude.gateway.url) == {}


def test_the_claude_that_is_asked_here_complies_itself(claude: House, comply: Programs) -> None:
    claude.play(script)
    assert complaints(comply, "anthropic", claude.upstream, KEY) == {}


@pytest.mark.parametrize("wire", MODELS)
def test_a_route_to_vllm_complies_but_for_what_vllm_itself_lacks(wire: str, vllm: House, comply: Programs) -> None:
    vllm.play(script)
    lacks = complaints(comply, wire, vllm.upstream)
    for test, said in complaints(comply, wire, vllm.gateway.url).items():
        assert kinds(said) <= kinds(lacks.get(test, [])), test


@pytest.mark.full
def test_vllm_itself_complies_no_better_without_the_gateway(
    vllm_server: VllmServer, comply: Programs, tmp_path: Path
) -> None:
    server = Upstream()
    server.behaviour = greedily(vllm_server)
    gateway = start_gateway(tmp_path, config_of(vllm_route(server.url)), api_key=API_KEY)
    try:
        for wire in MODELS:
            lacks = complaints(comply, wire, server.url)
            for test, said in complaints(comply, wire, gateway.url).items():
                assert kinds(said) <= kinds(lacks.get(test, [])), test
    finally:
        gateway.stop()
        server.close()


def greedily(server: VllmServer) -> Behaviour:
    """The real server, asked so that it says the same whenever it is asked the same, and little."""

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        limit = "max_output_tokens" if received.path.startswith("/v1/responses") else "max_tokens"
        body = {**received.json, "model": server.model, "temperature": 0, limit: 40}
        async with (
            aiohttp.ClientSession() as session,
            session.post(server.base_url + received.path, json=body) as answer,
        ):
            said = await answer.read()
        head = f"HTTP/1.1 {answer.status} X\r\ncontent-type: {answer.headers['content-type']}\r\n"
        writer.write(f"{head}content-length: {len(said)}\r\n\r\n".encode() + said)
        await writer.drain()

    return behave


def kinds(said: list[str]) -> set[str]:
    """Without the objects that they quote: these have other ids the next time."""
    return {_OBJECT.sub("{}", one) for one in said}
