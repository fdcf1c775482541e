"""Agents as a user runs them, unattended: each has really written a file, in no more requests than that takes."""

from pathlib import Path

import pytest

from tests.clients.agents import AIDER, CLAUDE_CODE, CODEX, CONTENT, OPENCODE, Agent
from tests.clients.desk import Desk, Programs
from tests.clients.houses import House

_MOST = 4
"""Requests: the call, its result, and a title or a summary."""


def work(agent: Agent, house: House, desk: Desk) -> None:
    house.play(agent.script(desk.file))
    outcome = desk.follow(agent.title)
    assert desk.file.is_file(), outcome.said
    assert desk.file.read_text() == CONTENT
    assert outcome.code == 0, outcome.said
    asked = house.asked()
    assert 1 <= len(asked) <= _MOST
    assert all(request.body["stream"] for request in asked if request.tools)


def test_codex_writes_a_file(vllm: House, codex: Programs, tmp_path: Path) -> None:
    work(CODEX, vllm, Desk(tmp_path, vllm.gateway, codex))


@pytest.mark.full
@pytest.mark.parametrize("agent", [CLAUDE_CODE, OPENCODE, AIDER], ids=str)
def test_an_agent_writes_a_file(agent: Agent, house: House, programs: Programs, tmp_path: Path) -> None:
    work(agent, house, Desk(tmp_path, house.gateway, programs))


@pytest.mark.full
def test_codex_writes_a_file_through_claude(claude: House, codex: Programs, tmp_path: Path) -> None:
    work(CODEX, claude, Desk(tmp_path, claude.gateway, codex))
