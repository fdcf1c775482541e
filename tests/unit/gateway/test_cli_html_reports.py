"""`matrix --html` and `compare --html`: the page says what --json says, and nothing in it is anybody else's markup."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from evaluator.scorecards import Group, Subject, Tally, scorecard
from evaluator.store.records import Outcome, Sample
from evaluator.store.run_folder import RunFolder
from evaluator.verdict import Status
from gateway.cli import compare, matrix
from gateway.cli.failure import ConfigFailure
from gateway.cli.report.flips import MOST_SHOWN
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot
from tests.fixtures.json_server import json_server

VOID = {"meta", "br"}
HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>\x00\x1b[31m\u202egnol\ud800"


@dataclass
class Node:
    name: str
    attributes: dict[str, str | None]
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list)
    text: str = ""

    def all(self, name: str, cls: str | None = None) -> list["Node"]:
        here = [self] if self.name == name and (cls is None or self.attributes.get("class") == cls) else []
        return here + [node for child in self.children for node in child.all(name, cls)]

    @property
    def words(self) -> str:
        return " ".join([self.text, *(child.words for child in self.children)])


class Tree(HTMLParser):
    """Fails on a tag that is closed without having been opened."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.root = self.here = Node("", {})
        self.feed(document)
        self.close()
        assert self.here is self.root, f"<{self.here.name}> is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs), self.here)
        self.here.children.append(node)
        self.here = self.here if tag in VOID else node

    def handle_endtag(self, tag: str) -> None:
        assert self.here.name == tag and self.here.parent is not None, f"</{tag}> closes <{self.here.name}>"
        self.here = self.here.parent

    def handle_data(self, data: str) -> None:
        self.here.text += data


def page(command: click.Command, file: Path, *arguments: str) -> tuple[Node, dict[str, list[dict[str, object]]]]:
    """The page and the JSON of one and the same command."""
    result = CliRunner().invoke(command, [*arguments, "--json", "--html", str(file)])
    assert result.exception is None, result.exception
    root = Tree(file.read_text("utf-8")).root
    assert_self_contained(root, file.read_text("utf-8"))
    return root, json.loads(result.stdout)


def assert_self_contained(root: Node, document: str) -> None:
    assert not any(root.all(name) for name in ("script", "link", "img", "iframe", "object", "base", "form", "a"))
    for node in everything(root):
        assert not {"src", "href", "srcset", "action", "onerror", "onload"} & node.attributes.keys()
    assert "url(" not in document and "@import" not in document
    assert "default-src 'none'" in str(root.all("meta")[1].attributes["content"])
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", document)


def everything(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from everything(child)


CARD = Scorecard(
    run_id="r",
    route="good",
    revision="1",
    suite="s+",
    suite_hash="c0ffee",
    language="python",
    measured_at="2026-01-02T03:04:05Z",
    tasks=100,
    repetitions=1,
    asked=100,
    scored=100,
    no_answer=0,
    unscorable=0,
    pass_at_1=0.8,
    statuses={"pass": 80, "fail": 20},
    total_p50_ms=1000.0,
    total_p99_ms=2000.0,
    input_tokens=1000,
    output_tokens=1000,
    cost_nanousd=500_000_000,
)
CARDS = (
    CARD,
    replace(CARD, route="cheap", pass_at_1=0.4, statuses={"pass": 40, "fail": 60}, cost_nanousd=20_000_000),
    replace(CARD, route="waste", pass_at_1=0.3, statuses={"pass": 30, "fail": 70}, cost_nanousd=90_000_000),
    replace(CARD, language="rust", pass_at_1=0.25, statuses={"pass": 25, "fail": 75}, run_id="r2"),
    replace(CARD, route="cheap", language="rust", pass_at_1=0.0, statuses={"fail": 100}, run_id="r2"),
)


@pytest.fixture
def evidence(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, dict[str, object]]]:
    """A gateway's address, and what it answers."""
    monkeypatch.delenv("WEIGHBRIDGE_API_KEY", raising=False)
    names = ["good", "cheap", "waste", "<b>new</b>"]
    entries = [{"id": name, "weighbridge": {"kind": "route", "revision": "1", "healthy": True}} for name in names]
    scorecards = json.loads(Snapshot(7, CARDS).encode())
    answers: dict[str, object] = {"/v1/models": {"data": entries}, "/v1/scorecards": scorecards}

    with json_server(lambda path, _: (200, answers[path])) as url:
        yield f"{url}/v1", answers


def test_the_heat_map_says_what_json_says(evidence: tuple[str, dict[str, object]], tmp_path: Path) -> None:
    root, found = page(matrix.command, tmp_path / "m.html", "--base-url", evidence[0])
    (heat,) = root.all("table", "heat")
    assert [node.words.strip() for node in heat.all("thead")[0].all("th")[1:]] == [r["route"] for r in found["routes"]]
    rows = [row for row in heat.all("tbody")[0].all("tr") if row.all("td")]
    assert [row.all("th")[0].text for row in rows] == ["python", "rust"]
    for index, row in enumerate(rows):
        for route, cell in zip(found["routes"], row.all("td"), strict=True):
            result = route["results"][index]  # type: ignore[index]
            if result["card"] is None:
                assert cell.text == "unmeasured" and "style" not in cell.attributes
                continue
            low, high = result["interval_95"]
            assert cell.all("b")[0].text == f"{result['card']['pass_at_1']:.3f}"
            assert cell.all("small")[0].text == f"{low:.3f} to {high:.3f}, n = {result['card']['tasks']}"
            assert cell.attributes["style"] == f"--share:{result['card']['pass_at_1']:.1%}"


def test_a_published_mean_without_its_number_of_tasks_is_shown(
    evidence: tuple[str, dict[str, object]], tmp_path: Path
) -> None:
    base_url, answers = evidence
    told = replace(CARD, origin="published", tasks=0, asked=0, scored=0, statuses={}, pass_at_1=0.892, run_id="paper")
    answers["/v1/scorecards"] = json.loads(Snapshot(8, (told,)).encode())
    root, _ = page(matrix.command, tmp_path / "m.html", "--base-url", base_url)
    (cell, *_) = root.all("table", "heat")[0].all("tbody")[0].all("td")
    assert (cell.all("b")[0].text, cell.all("small")[0].text) == ("0.892", "no interval")


def test_plots_show_every_route_with_a_figure_its_interval_and_the_frontier(
    evidence: tuple[str, dict[str, object]], tmp_path: Path
) -> None:
    root, found = page(matrix.command, tmp_path / "m.html", "--base-url", evidence[0])
    calls, solved, rust_calls, rust_solved = root.all("figure")
    titles = [node.text for node in calls.all("title")]
    low, high = found["routes"][0]["results"][0]["interval_95"]  # type: ignore[index]
    assert f"good: 0.800 ({low:.3f} to {high:.3f}), $5.00 per 1,000 calls" in titles
    assert len(calls.all("circle", "frontier")) == 2 and len(calls.all("circle", "behind")) == 1
    caption = calls.all("figcaption")[0].text
    assert "On the frontier, cheapest first: cheap (0.400 at $0.20); good (0.800 at $5.00)." in caption
    assert "Not shown, for want of a figure: <b>new</b>." in caption
    assert "logarithmic" in calls.words and "logarithmic" not in rust_calls.all("figcaption")[0].text
    assert "good: 0.800" in solved.words and "$0.0063 per solved task" in solved.words
    assert "Not shown, for want of a figure: cheap, waste, <b>new</b>." in rust_solved.words
    assert {node.text for node in calls.all("text", "label")} == {"good", "cheap", "waste"}


def test_a_part_of_a_suite_is_marked_and_off_the_frontier(
    evidence: tuple[str, dict[str, object]], tmp_path: Path
) -> None:
    evidence[1]["/v1/scorecards"] = json.loads(Snapshot(8, (replace(CARD, partial=True),)).encode())
    root, _ = page(matrix.command, tmp_path / "m.html", "--base-url", evidence[0])
    assert len(root.all("rect", "partial")) == 2
    assert "No whole suite to draw a frontier from." in root.all("figure")[0].words
    assert "partial suite" in root.all("table", "heat")[0].words


def test_every_figure_of_the_text_is_in_the_page(evidence: tuple[str, dict[str, object]], tmp_path: Path) -> None:
    root, _ = page(matrix.command, tmp_path / "m.html", "--base-url", evidence[0])
    markdown = CliRunner().invoke(matrix.command, ["--base-url", evidence[0], "--markdown"]).output
    cells = {node.words.strip() for name in ("td", "th") for node in root.all(name)}
    for cell in markdown.splitlines()[2].strip("| ").split(" | ")[2:]:
        for figure in cell.split("<br>"):
            assert figure in cells


def test_nothing_measured_is_said_so(evidence: tuple[str, dict[str, object]], tmp_path: Path) -> None:
    evidence[1]["/v1/scorecards"] = {"version": 0, "scorecards": []}
    root, _ = page(matrix.command, tmp_path / "m.html", "--base-url", evidence[0])
    assert "Nothing is measured yet" in root.words and not root.all("svg")


def test_a_file_that_cannot_be_written(evidence: tuple[str, dict[str, object]], tmp_path: Path) -> None:
    arguments = ["--base-url", evidence[0], "--html", str(tmp_path / "no" / "m.html")]
    error = CliRunner().invoke(matrix.command, arguments).exception
    assert isinstance(error, ConfigFailure) and "m.html: No such file" in str(error)


def write_run(state: Path, run_id: str, verdicts: list[list[Status]], answer: str, detail: str = "") -> None:
    target = {"name": run_id, "kind": "route", "revision": "rev", "is_gateway": True}
    samples = len(verdicts[0])
    manifest = {"run_id": run_id, "suite": "s+", "suite_hash": "c0ffee", "target": target, "samples": samples}
    manifest |= {"partial": False, "command": "weighbridge replay"}
    tally = Tally()
    with RunFolder(state / "replays" / run_id) as folder:
        folder.write("manifest.json", manifest)
        for task, statuses in enumerate(verdicts):
            for number, status in enumerate(statuses):
                said = f"{answer} {task}.{number}"
                sample = Sample(f"t/{task}", number, "2026-03-01T00:00:00+00:00", 1, answer=said, total_ms=9.0)
                outcome = Outcome(f"t/{task}", number, status, detail=detail, cost_nanousd=1_000_000)
                folder.samples.append(sample)
                folder.outcomes.append(outcome)
                tally.add(sample, outcome)
        subject = Subject(run_id, "s+", "c0ffee", samples)
        card = scorecard(subject, Group(run_id, "rev", "python"), tally, manifest, partial=False)
        folder.write("scorecards.json", {"scorecards": [asdict(card)]})


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WEIGHBRIDGE_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "state" / "replays").mkdir(parents=True)
    return tmp_path / "state"


P, F, T = Status.PASS, Status.FAIL, Status.TIMEOUT


def test_flipped_tasks_show_both_answers_and_what_the_tests_said(state: Path, tmp_path: Path) -> None:
    write_run(state, "a", [[F, P], [P, P], [P, P]], "answer of a", "case 3: IndexError")
    write_run(state, "b", [[P, P], [P, P], [P, T]], "answer of b", "too slow")
    root, found = page(compare.command, tmp_path / "c.html", "a", "b")
    paired = found["comparisons"][0]["paired"]
    (flips,) = root.all("table", "flips")
    worse, worse_more, better, better_more = flips.all("tbody")[0].all("tr")
    assert worse.all("th")[0].text == paired["worse"][0]["task_id"] == "t/2"  # type: ignore[index]
    assert [cell.words.split() for cell in worse.all("td")] == [
        ["▼", "worse"], ["1", "pass,", "pass"], ["0.5", "pass,", "timeout"]
    ]  # fmt: skip
    assert [node.text for node in worse_more.all("h3")] == ["A: pass, sample 0", "B: timeout, sample 1"]
    assert [node.text for node in worse_more.all("code")] == ["answer of a 2.0", "answer of b 2.1"]
    assert better.all("th")[0].text == paired["better"][0]["task_id"]  # type: ignore[index]
    assert [node.text for node in better_more.all("pre", "verdict")] == ["case 3: IndexError", "too slow"]
    assert [node.text for node in better_more.all("code")] == ["answer of a 0.0", "answer of b 0.0"]
    (bar,) = root.all("svg", "plot shares")
    assert bar.attributes["aria-label"] == "3 tasks paired: ▼ 1 worse, 1 alike, ▲ 1 better"


def test_a_changes_plot_says_what_json_says(state: Path, tmp_path: Path) -> None:
    write_run(state, "a", [[F], [P], [P], [F]], "a")
    write_run(state, "b", [[P], [P], [P], [F]], "b")
    root, found = page(compare.command, tmp_path / "c.html", "a", "b")
    titles = [node.text for node in root.all("figure")[0].all("title")]
    for title, side in zip(titles, ("before", "after"), strict=True):
        card = found["comparisons"][0][side]
        low, high = card["interval_95"]  # type: ignore[index]
        assert f"{card['pass_at_1']:.3f} ({low:.3f} to {high:.3f}), $1.00 per 1,000 calls" in title  # type: ignore[index]
    headlines = [node.words.split() for node in root.all("div", "tile")]
    assert headlines[0] == ["pass@1", "0.500", "→", "0.750", "+0.250,", "better"]
    assert "+0%," not in root.words


def test_answers_and_test_output_are_hostile(state: Path, tmp_path: Path) -> None:
    answer = HOSTILE.encode("utf-8", "replace").decode()
    write_run(state, "a", [[F]], answer, answer)
    write_run(state, "b", [[P]], answer)
    root, _ = page(compare.command, tmp_path / "c.html", "a", "b")
    shown = root.all("code")[0].text
    assert shown.startswith("</pre><script>alert(1)</script><img src=x onerror=alert(2)>␀␛[31m⟨U+202E⟩gnol")
    assert root.all("pre", "verdict")[0].text in shown


def test_many_flips_are_listed_but_only_some_with_answers(state: Path, tmp_path: Path) -> None:
    count = MOST_SHOWN + 10
    write_run(state, "a", [[P]] * count, "x" * 7000)
    write_run(state, "b", [[F]] * count, "y")
    root, _ = page(compare.command, tmp_path / "c.html", "a", "b")
    assert len(root.all("table", "flips")[0].all("th")) == 4 + count
    assert len(root.all("details")) == MOST_SHOWN
    assert "… and 1004 more characters" in root.all("code")[0].text
    assert f"answers of the first {MOST_SHOWN}" in root.words


def test_several_languages_begin_with_an_overview(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_bytes(Snapshot(7, CARDS).encode())
    root, found = page(compare.command, tmp_path / "c.html", f"{file}#good", f"{file}#cheap")
    (overview,) = root.all("table", "heat")
    lines = overview.all("tbody")[0].all("tr")
    assert [line.all("th")[0].text for line in lines] == ["s+, python", "s+, rust"]
    for line, comparison in zip(lines, found["comparisons"], strict=True):
        sides = [comparison[side]["pass_at_1"] for side in ("before", "after")]  # type: ignore[index]
        change = f"{sides[1] - sides[0]:+.3f}"
        assert [cell.text for cell in line.all("td")] == [f"{sides[0]:.3f}", f"{sides[1]:.3f}", change, "100"]
    assert not root.all("table", "flips"), "without samples no task is paired"
    calls = [figure for figure in root.all("figure") if "1,000 calls" in figure.words]
    assert len(calls) == 2 and len(root.all("figure")) == 3, "nothing of rust was solved by B"
