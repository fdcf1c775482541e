"""The npm packages `openai` and `@anthropic-ai/sdk`: a loop of streamed tool calls that writes a file."""

from pathlib import Path

import pytest

from tests.clients.agents import CONTENT
from tests.clients.desk import Desk, Programs
from tests.clients.houses import House
from tests.clients.manual import PACKAGES, chapter
from tests.clients.scripted_model import writes

_LOOPS = Path(__file__).parent / "loops"
pytestmark = pytest.mark.full


def run(loop: str, house: House, programs: Programs, folder: Path) -> None:
    desk = Desk(folder, house.gateway, programs)
    house.play(writes("write_file", {"path": str(desk.file), "content": CONTENT}))
    (desk.work / "node_modules").symlink_to(programs.modules[-1])
    (desk.work / "loop.mjs").write_text((_LOOPS / f"{loop}.mjs").read_text())
    outcome = desk.run(chapter(PACKAGES, house.gateway.url).commands + "\nnode loop.mjs")
    assert (outcome.code, outcome.said) == (0, "It is written.\n")
    assert desk.file.read_text() == CONTENT
    assert [(asked.results, asked.body["stream"]) for asked in house.asked()] == [(0, True), (1, True)]


@pytest.mark.parametrize("loop", ["chat", "responses", "messages"])
def test_a_loop_writes_a_file(loop: str, house: House, programs: Programs, tmp_path: Path) -> None:
    run(loop, house, programs, tmp_path)
