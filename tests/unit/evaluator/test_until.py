"""A replay that stops when a bar is decided, over real HTTP, with a judge that believes what an answer says."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.replaying.asking import Retries
from evaluator.replaying.client import Client, Sampling
from evaluator.replaying.plan import Plan
from evaluator.replaying.progress import Progress
from evaluator.replaying.replay import Limits, Replay
from evaluator.replaying.summary import Posted, Summary
from evaluator.replaying.until import Watch
from evaluator.scorecards import scorecards
from evaluator.statistics.stopping import Bar, Decision
from evaluator.store.run_folder import RunFolder
from evaluator.suites import FunctionCheck, Part, Suite, Task
from evaluator.verdict import Status, Verdict
from policies.bounds import exact_lower
from tests.contract_gateway import ContractGateway

TASKS = 80
CONCURRENCY = 3


def _task(number: int) -> Task:
    check = FunctionCheck((Part("tests", ((1,),), (1,)),), oracle="exact")
    language = "python" if number % 4 else "cobol"
    return Task(f"t/{number}", language, f"def task_{number}(x):\n", f"task_{number}", "", check)


SUITE = Suite("small", "weighbridge", "0" * 64, tuple(map(_task, range(TASKS))))


class SayingJudge:
    async def verdict(self, task: Task, sample: int, answer: str) -> Verdict:
        await asyncio.sleep(0)
        return Verdict(task.task_id, sample, Status(answer))


@pytest.fixture
def gateway() -> Iterator[ContractGateway]:
    with ContractGateway(answer=lambda message: "pass").running() as running:
        yield running


async def _plan(gateway: ContractGateway, suite: Suite = SUITE, samples: int = 1, seed: int = 0) -> Plan:
    async with Client(gateway.base_url, None) as client:
        target = await client.target("llama", "route")
    return Plan.of(
        suite,
        target,
        gateway.base_url,
        sampling=Sampling(),
        samples=samples,
        limit=None,
        seed=seed,
        cache="no-store",
        until=Bar(0.80),
    )


async def _run(gateway: ContractGateway, plan: Plan, path: Path) -> Summary:
    progress = Progress("small", plan.total)
    with RunFolder(path) as folder:
        watch = Watch(Bar(0.80), plan, folder)
        async with Client(gateway.base_url, None) as client:
            quick = Retries(limit=1, first_s=0.001, longest_s=0.002)
            limits = Limits(CONCURRENCY, 2)
            replay = Replay(plan, folder, client, SayingJudge(), progress, limits=limits, retries=quick, watch=watch)
            await replay.run()
        cards = scorecards(plan, folder, {})
    posted = Posted(True, "")
    return Summary(plan, path, progress.tally, cards, replay.asked, 1.0, posted, "again", watch.decision, watch.asked)


def _until(summary: Summary) -> dict[str, object]:
    found = summary.as_json()["summary"]
    assert isinstance(found, dict)
    return dict(found["until"])


async def test_a_clear_answer_saves_most_tasks(gateway: ContractGateway, tmp_path: Path) -> None:
    summary = await _run(gateway, await _plan(gateway), tmp_path / "run")
    assert summary.decision is not None and summary.decision.verdict == "met"
    asked = sum(gateway.asked.values())
    assert summary.decision.tasks <= asked <= summary.decision.tasks + CONCURRENCY < TASKS
    said = _until(summary)
    assert (said["condition"], said["verdict"], said["tasks_saved"]) == ("pass_at_1 >= 0.8", "met", TASKS - asked)
    assert said["samples_saved"] == TASKS - asked
    title, correctness = summary.lines()[:2]
    assert f"PARTIAL, pass_at_1 >= 0.8 is MET after {summary.decision.tasks} of 80 tasks; saved" in title
    assert f"[{summary.decision.low:.3f}, 1.000]" in correctness
    assert summary.decision.low > 0.8
    assert all(card.partial for card in summary.cards)
    assert {card.language for card in summary.cards} == {"python", "cobol", "all"}


async def test_the_same_command_asks_nothing_more(gateway: ContractGateway, tmp_path: Path) -> None:
    plan = await _plan(gateway, samples=2)
    first = await _run(gateway, plan, tmp_path / "run")
    asked = Counter(gateway.asked)
    again = await _run(gateway, plan, tmp_path / "run")
    assert gateway.asked == asked and again.decision == first.decision and again.asked_now == 0
    assert again.cards == first.cards


async def test_an_interrupted_one_goes_on_where_it_was(gateway: ContractGateway, tmp_path: Path) -> None:
    plan = await _plan(gateway)
    whole = await _run(gateway, plan, tmp_path / "whole")
    await _run(gateway, plan, tmp_path / "torn")
    (tmp_path / "torn" / "decision.json").unlink()
    for name in ("samples.jsonl", "verdicts.jsonl"):
        path = tmp_path / "torn" / name
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:10]) + b'{"torn')
    gateway.asked.clear()
    resumed = await _run(gateway, plan, tmp_path / "torn")
    assert resumed.decision == whole.decision
    assert sum(gateway.asked.values()) == resumed.tally.asked - 10


async def test_a_bad_route_stops_soon(gateway: ContractGateway, tmp_path: Path) -> None:
    gateway.answer = lambda message: "fail"
    summary = await _run(gateway, await _plan(gateway, samples=3), tmp_path / "run")
    assert summary.decision is not None and summary.decision.verdict in ("below", "futile")
    assert "NOT met" in summary.lines()[0]
    assert sum(gateway.asked.values()) < 100


async def test_what_is_close_is_asked_whole_and_is_no_part_then(gateway: ContractGateway, tmp_path: Path) -> None:
    """Eight failures are one fewer than 80 tasks may have: only the last tasks can tell."""
    plan = await _plan(gateway)
    wrong = {task.prompt for task in plan.tasks[5:75:9]}
    gateway.answer = lambda message: "fail" if any(prompt in message for prompt in wrong) else "pass"
    assert len(wrong) == 8 and exact_lower(72, TASKS, 0.975) >= 0.80 > exact_lower(71, TASKS, 0.975)
    summary = await _run(gateway, plan, tmp_path / "run")
    assert summary.decision is not None and (summary.decision.verdict, summary.decision.certain) == ("met", True)
    assert summary.decision.tasks >= 72
    if summary.tally.asked == TASKS:
        assert "PARTIAL" not in summary.lines()[0] and not any(card.partial for card in summary.cards)


async def test_a_suite_that_is_too_small_is_not_asked(gateway: ContractGateway, tmp_path: Path) -> None:
    small = Suite("small", "weighbridge", "0" * 64, SUITE.tasks[:8])
    summary = await _run(gateway, await _plan(gateway, small), tmp_path / "run")
    assert not gateway.asked
    assert "8 tasks are too few to show pass_at_1 >= 0.8; nothing was asked" in summary.lines()[0]


async def test_languages_keep_pace(gateway: ContractGateway) -> None:
    plan = await _plan(gateway, seed=3)
    assert sorted(task.task_id for task in plan.tasks) == sorted(task.task_id for task in SUITE.tasks)
    first = [task.language for task in plan.tasks[:40]]
    assert 7 <= first.count("cobol") <= 13
    assert plan.tasks != (await _plan(gateway, seed=4)).tasks
    assert plan.run_id != (await _plan(gateway, seed=4)).run_id
    assert list(plan.rounds())[:2] == [(plan.tasks[0], 0), (plan.tasks[1], 0)]
    thrice = await _plan(gateway, samples=3)
    assert [number for _, number in list(thrice.rounds())[:6]] == [0, 1, 2, 0, 1, 2]


async def test_the_decision_stands_in_the_folder(gateway: ContractGateway, tmp_path: Path) -> None:
    summary = await _run(gateway, await _plan(gateway), tmp_path / "run")
    assert Decision(**json.loads((tmp_path / "run" / "decision.json").read_text())) == summary.decision
