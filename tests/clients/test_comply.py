"""llm-comply, which holds answers against the official OpenAPI specifications: what it says of a route's answers."""

import json
import re
import subprocess

import pytest

from tests.clients.desk import API_KEY, Programs
from tests.clients.houses import House
from tests.clients.scripted_model import Asked, Turn
from tests.fixtures.messages_server import KEY

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


def kinds(said: list[str]) -> set[str]:
    """Without the objects that they quote: these have other ids the next time."""
    return {_OBJECT.sub("{}", one) for one in said}
