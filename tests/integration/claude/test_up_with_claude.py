"""What ANTHROPIC_API_KEY adds to `weighbridge up`: the config that it starts the gateway with, and what it says."""

from pathlib import Path

import pytest

from gateway.cli.up_claude import with_claude
from gateway.config import load_config
from tests.fixtures.messages_server import KEY, NEWEST, MessagesServer

DEMO = Path(__file__).parents[3] / "deploy" / "demo.yaml"


def test_the_newest_sonnet_with_a_price_becomes_a_route(
    messages: MessagesServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": messages.url, "VLLM_BASE_URL": "http://127.0.0.1:1234"}
    path = with_claude(DEMO, env, tmp_path / "up.yaml")
    assert path == tmp_path / "up.yaml" and KEY not in path.read_text()
    before, config = load_config(DEMO, env), load_config(path, env)
    claude = config.routes[NEWEST]
    assert (claude.model, claude.replicas, claude.headers) == (NEWEST, (messages.url,), {"x-api-key": KEY})
    assert claude.price.output == 10_000_000_000
    assert {name: route for name, route in config.routes.items() if name != NEWEST} == before.routes
    assert (config.policies, config.aliases) == (before.policies, before.aliases)
    assert f"using {NEWEST}" in capsys.readouterr().out


def test_without_a_key_nothing_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert with_claude(DEMO, {"ANTHROPIC_API_KEY": ""}, tmp_path / "up.yaml") == DEMO
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("key", "url", "said"),
    [
        ("wrong", "{url}", "answered 401 to this ANTHROPIC_API_KEY"),
        (KEY, "{url}/elsewhere", "answered 404"),
        (KEY, "http://127.0.0.1:9", "does not list its models"),
        (KEY, "nonsense", "does not list its models"),
    ],
)
def test_what_stands_in_the_way_is_said_and_the_rest_starts(
    messages: MessagesServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, url: str, said: str
) -> None:
    env = {"ANTHROPIC_API_KEY": key, "ANTHROPIC_BASE_URL": url.format(url=messages.url)}
    assert with_claude(DEMO, env, tmp_path / "up.yaml") == DEMO
    shown = capsys.readouterr().out
    assert "no route to Claude" in shown and said in shown and KEY not in shown
