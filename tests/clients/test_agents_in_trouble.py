"""An upstream that always breaks: each agent ends by itself after few requests; those with tools leave no half file."""

from pathlib import Path
from typing import get_args

import pytest

from tests.clients.agents import AIDER, CLAUDE_CODE, CODEX, CONTENT, OPENCODE, Agent
from tests.clients.desk import Desk, Programs
from tests.clients.houses import House
from tests.clients.scripted_model import Trouble

_MOST = 100
"""Requests that reach an upstream. Codex makes 30 where each is refused with a status over 499, whatever is said with
it, and the gateway tries each three times."""
_FEW_RETRIES = {"CLAUDE_CODE_MAX_RETRIES": "2"}
"""Ten otherwise, which take it minutes."""
_KILLED = 128
pytestmark = pytest.mark.full


def suffer(agent: Agent, trouble: Trouble, house: House, desk: Desk) -> None:
    house.play(agent.script(desk.file), lambda _: trouble)
    outcome = desk.follow(agent.title, **_FEW_RETRIES)
    assert 0 <= outcome.code < _KILLED, outcome.said
    assert 1 <= len(house.asked()) <= _MOST, outcome.said


def leaves_nothing_half_done(desk: Desk) -> None:
    assert not desk.file.exists() or desk.file.read_text() == CONTENT


@pytest.mark.parametrize("trouble", get_args(Trouble))
@pytest.mark.parametrize("agent", [CODEX, CLAUDE_CODE, OPENCODE], ids=str)
def test_an_agent_ends(agent: Agent, trouble: Trouble, vllm: House, programs: Programs, tmp_path: Path) -> None:
    desk = Desk(tmp_path, vllm.gateway, programs)
    suffer(agent, trouble, vllm, desk)
    leaves_nothing_half_done(desk)


@pytest.mark.parametrize("trouble", ["cut", "refused"])
@pytest.mark.parametrize("agent", [CODEX, CLAUDE_CODE, OPENCODE], ids=str)
def test_an_agent_on_claude_ends(
    agent: Agent, trouble: Trouble, claude: House, programs: Programs, tmp_path: Path
) -> None:
    """It is refused with 529, which is Anthropic's own word for too much to do."""
    desk = Desk(tmp_path, claude.gateway, programs)
    suffer(agent, trouble, claude, desk)
    leaves_nothing_half_done(desk)


def test_aider_ends(vllm: House, programs: Programs, tmp_path: Path) -> None:
    """It goes on trying for two minutes, whatever the trouble is, and then takes the edit that it has for whole."""
    suffer(AIDER, "short", vllm, Desk(tmp_path, vllm.gateway, programs))


@pytest.mark.parametrize("agent", [CODEX, CLAUDE_CODE, OPENCODE, AIDER], ids=str)
def test_an_agent_does_its_work_after_one_refusal(
    agent: Agent, house: House, programs: Programs, tmp_path: Path
) -> None:
    desk = Desk(tmp_path, house.gateway, programs)
    house.play(agent.script(desk.file), lambda number: "refused" if number == 1 else None)
    outcome = desk.follow(agent.title)
    assert outcome.code == 0, outcome.said
    assert desk.file.read_text() == CONTENT
