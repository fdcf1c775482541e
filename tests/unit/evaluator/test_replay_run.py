"""Replay over real HTTP, with a judge that needs no sandbox: an answer passes if it says so."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evaluator.replaying.asking import Retries
from evaluator.replaying.client import Client, Refused, Sampling, Unreachable
from evaluator.replaying.plan import Plan
from evaluator.replaying.progress import Progress
from evaluator.replaying.replay import Limits, Replay
from evaluator.scorecards import UNROUTED, scorecards
from evaluator.store.records import Outcome
from evaluator.store.run_folder import RunFolder
from evaluator.suites import FunctionCheck, Part, Suite, Task
from evaluator.verdict import Status, Verdict
from policies.scorecard import Scorecard
from tests.contract_gateway import ContractGateway
from tests.contract_gateway import Status as HttpStatus

QUICK = Retries(limit=2, first_s=0.001, longest_s=0.002)


def _task(number: int, language: str = "python") -> Task:
    check = FunctionCheck((Part("tests", ((1,),), (1,)),), oracle="exact")
    return Task(f"t/{number}", language, f"def task_{number}(x):\n", f"task_{number}", "", check)


def _suite(count: int = 6) -> Suite:
    return Suite("small", "weighbridge", "0" * 64, tuple(_task(number) for number in range(count)))


class SayingJudge:
    """The answer itself names its status."""

    def __init__(self) -> None:
        self.judged: Counter[tuple[str, int]] = Counter()
        self.broken = False
        self.block: Callable[[], None] = lambda: None

    async def verdict(self, task: Task, sample: int, answer: str) -> Verdict:
        self.judged[task.task_id, sample] += 1
        await asyncio.sleep(0)
        return Verdict(task.task_id, sample, Status.UNSCORABLE if self.broken else Status(answer))


class Bench:
    """One plan's worth of everything, run as often as a test likes."""

    def __init__(self, gateway: ContractGateway, path: Path) -> None:
        self.gateway = gateway
        self.path = path
        self.judge = SayingJudge()
        self.suite = _suite()
        self.concurrency = 3
        self.progress = Progress("", 0)

    async def plan(self, name: str = "llama", kind: str = "route", **changes: object) -> Plan:
        async with Client(self.gateway.base_url, None) as client:
            target = await client.target(name, kind)  # type: ignore[arg-type]
        plan = Plan.of(
            self.suite,
            target,
            self.gateway.base_url,
            sampling=Sampling(),
            samples=int(str(changes.get("samples", 3))),
            limit=changes.get("limit"),  # type: ignore[arg-type]
            seed=0,
            cache="no-store",
        )
        return plan

    async def run(self, plan: Plan) -> list[Scorecard]:
        self.progress = Progress("small", plan.total)
        limits = Limits(self.concurrency, 2)
        with RunFolder(self.path) as folder:
            async with Client(self.gateway.base_url, None) as client:
                await Replay(plan, folder, client, self.judge, self.progress, limits=limits, retries=QUICK).run()
            return scorecards(plan, folder, {})


@pytest.fixture
def gateway():  # type: ignore[no-untyped-def]
    with ContractGateway(answer=lambda message: "pass" if "task_0" in message else "fail").running() as running:
        yield running


@pytest.fixture
def bench(gateway: ContractGateway, tmp_path: Path) -> Bench:
    return Bench(gateway, tmp_path / "run")


async def test_three_samples_are_three_requests_a_task(bench: Bench) -> None:
    [card] = await bench.run(await bench.plan())
    assert len(bench.gateway.asked) == 6 and set(bench.gateway.asked.values()) == {3}
    assert (card.asked, card.scored, card.no_answer, card.unscorable) == (18, 18, 0, 0)
    assert (card.tasks, card.repetitions, card.pass_at_1) == (6, 3, pytest.approx(1 / 6))
    assert card.statuses == {"pass": 3, "fail": 15}
    assert (card.cost_nanousd, card.input_tokens, card.output_tokens) == (18_000, 126, 54)
    assert card.ttft_p50_ms is not None and card.total_p99_ms is not None
    assert not card.partial and card.revision == "aaaabbbbcccc" and card.run_id == "run"
    assert bench.gateway.most_in_flight <= bench.concurrency


async def test_a_finished_run_asks_and_judges_nothing_again(bench: Bench) -> None:
    plan = await bench.plan()
    first = await bench.run(plan)
    asked, judged = Counter(bench.gateway.asked), Counter(bench.judge.judged)
    assert await bench.run(plan) == first
    assert (bench.gateway.asked, bench.judge.judged) == (asked, judged)
    assert bench.progress.settled == 18


async def test_stored_samples_without_a_verdict_are_only_judged(bench: Bench) -> None:
    plan = await bench.plan()
    first = await bench.run(plan)
    verdicts = bench.path / "verdicts.jsonl"
    lines = verdicts.read_bytes().splitlines(keepends=True)
    verdicts.write_bytes(b"".join(lines[:10]) + lines[10][:20])
    asked = Counter(bench.gateway.asked)
    assert await bench.run(plan) == first
    assert bench.gateway.asked == asked
    assert sum(bench.judge.judged.values()) == 18 + 8


async def test_a_torn_sample_is_the_only_one_asked_again(bench: Bench) -> None:
    plan = await bench.plan()
    await bench.run(plan)
    samples = bench.path / "samples.jsonl"
    samples.write_bytes(samples.read_bytes()[:-5])
    (bench.path / "verdicts.jsonl").write_bytes(b"")
    [card] = await bench.run(plan)
    assert sum(bench.gateway.asked.values()) == 19
    assert card.asked == card.scored == 18


async def test_what_could_not_be_scored_is_judged_again_without_asking(bench: Bench) -> None:
    plan = await bench.plan()
    bench.judge.broken = True
    [card] = await bench.run(plan)
    assert (card.unscorable, card.scored, card.pass_at_1, card.tasks) == (18, 0, None, 0)
    bench.judge.broken = False
    [card] = await bench.run(plan)
    assert (card.unscorable, card.scored) == (0, 18)
    assert set(bench.gateway.asked.values()) == {3}


@pytest.mark.parametrize("label", ["hit", "shared"])
async def test_repeats_from_a_cache_enter_no_figure(bench: Bench, label: str) -> None:
    bench.gateway.cache = lambda message, before: label if before else "miss"
    [card] = await bench.run(await bench.plan())
    assert (card.asked, card.scored, card.cost_nanousd) == (6, 6, 6_000)
    assert card.partial, "repetitions are missing"
    assert card.manifest["from_cache"] == 12
    assert sum(bench.judge.judged.values()) == 6
    assert len(bench.progress.tally.total_ms) == 6


async def test_a_run_from_the_cache_alone_has_no_scorecard(bench: Bench) -> None:
    bench.gateway.cache = lambda message, before: "hit"
    assert await bench.run(await bench.plan()) == []


async def test_failures_are_retried_and_then_counted_apart(bench: Bench) -> None:
    bench.gateway.fault = lambda message, before: HttpStatus(503) if "task_1" in message else None
    [card] = await bench.run(await bench.plan())
    assert (card.asked, card.scored, card.no_answer, card.tasks) == (18, 15, 3, 5)
    assert card.pass_at_1 == pytest.approx(1 / 5)
    assert card.statuses == {"pass": 3, "fail": 12, "no_answer": 3}
    assert card.cost_nanousd == 15_000 + 3 * 3_000, "failed tries cost, too"
    assert sorted(bench.gateway.asked.values()) == [3, 3, 3, 3, 3, 9]
    assert not card.partial, "a failure is a result, not a gap"


@pytest.mark.parametrize("fault", [HttpStatus(429, {"retry-after": "0"}), HttpStatus(500), "error_event", "cut"])
async def test_answers_got_by_trying_again_count_but_are_not_timed(bench: Bench, fault) -> None:  # type: ignore[no-untyped-def]
    bench.gateway.fault = lambda message, before: fault if "task_0" in message and before == 0 else None
    [card] = await bench.run(await bench.plan())
    assert (card.scored, card.statuses["pass"]) == (18, 3)
    assert len(bench.progress.tally.ttft_ms) == 17


async def test_a_refused_request_is_not_sent_again(bench: Bench) -> None:
    bench.gateway.fault = lambda message, before: HttpStatus(400)
    [card] = await bench.run(await bench.plan(samples=1))
    assert (card.no_answer, sum(bench.gateway.asked.values())) == (6, 6)


async def test_an_unknown_model_ends_the_run_and_stores_nothing(bench: Bench) -> None:
    plan = await bench.plan()
    bench.gateway.fault = lambda message, before: HttpStatus(404)
    with pytest.raises(Refused, match="the server says 404"):
        await bench.run(plan)
    assert (bench.path / "samples.jsonl").read_bytes() == b""


async def test_a_gateway_that_is_gone_is_no_failure_of_the_route(tmp_path: Path) -> None:
    with ContractGateway(answer=lambda message: "pass").running() as gateway:
        bench = Bench(gateway, tmp_path / "run")
        plan = await bench.plan()
    with pytest.raises(Unreachable):
        await bench.run(plan)
    assert (bench.path / "samples.jsonl").read_bytes() == b""


async def test_a_policys_routes_are_reported_apart_and_partial(bench: Bench) -> None:
    bench.gateway.route = lambda message: "llama" if "task_0" in message else "mixtral"
    bench.gateway.fault = lambda message, before: HttpStatus(400) if "task_5" in message else None
    cards = {card.route: card for card in await bench.run(await bench.plan("auto", "policy"))}
    assert set(cards) == {"llama", "mixtral"}
    assert (cards["llama"].asked, cards["llama"].pass_at_1, cards["llama"].revision) == (3, 1.0, "aaaabbbbcccc")
    assert (cards["mixtral"].asked, cards["mixtral"].no_answer, cards["mixtral"].pass_at_1) == (15, 3, 0.0)
    assert all(card.partial for card in cards.values())
    assert bench.progress.tally.pass_at_1 == pytest.approx(1 / 5)


async def test_a_policys_failure_without_a_route_belongs_to_none(bench: Bench) -> None:
    plan = await bench.plan("auto", "policy", samples=1)
    bench.gateway.is_gateway = False  # from here on no headers, as when the gateway refuses before deciding
    bench.gateway.fault = lambda message, before: HttpStatus(400)
    [card] = await bench.run(plan)
    assert (card.route, card.no_answer) == (UNROUTED, 6)


async def test_a_revision_that_changes_half_way_makes_two_partial_cards(bench: Bench) -> None:
    plan = await bench.plan(samples=1)
    bench.concurrency = 1

    def answer(message: str) -> str:
        if "task_2" in message:
            bench.gateway.revisions["llama"] = "111122223333"
        return "pass"

    bench.gateway.answer = answer
    cards = await bench.run(plan)
    assert [(card.revision, card.asked, card.partial) for card in cards] == [
        ("aaaabbbbcccc", 3, True),
        ("111122223333", 3, True),
    ]


async def test_languages_get_a_card_each_and_one_together(bench: Bench) -> None:
    bench.suite = replace(bench.suite, tasks=(_task(0), _task(1, "rust"), _task(2, "rust")))
    cards = await bench.run(await bench.plan(samples=2))
    assert [(card.language, card.asked, card.partial) for card in cards] == [
        ("python", 2, False),
        ("rust", 4, False),
        ("all", 6, False),
    ]


async def test_an_endpoint_without_a_ledger_has_unknown_cost(tmp_path: Path) -> None:
    with ContractGateway(answer=lambda message: "pass", is_gateway=False).running() as plain:
        bench = Bench(plain, tmp_path / "run")
        [card] = await bench.run(await bench.plan(samples=1))
    assert (card.route, card.revision, card.cost_nanousd) == ("llama", "unknown", 0)
    assert card.manifest["cost_unknown"] == 6
    assert bench.progress.tally.cost_is_unknown


async def test_interrupting_keeps_what_was_finished(bench: Bench) -> None:
    plan = await bench.plan()
    bench.gateway.hold_after = 6
    running = asyncio.create_task(bench.run(plan))
    while sum(bench.gateway.asked.values()) < 9:  # noqa: ASYNC110  # the server counts in its own thread; three wait
        await asyncio.sleep(0.005)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    bench.gateway.hold_after = None
    stored = [json.loads(line) for line in (bench.path / "samples.jsonl").read_text().splitlines()]
    assert 0 < len(stored) < 18
    before = sum(bench.gateway.asked.values())
    [card] = await bench.run(plan)
    assert card.asked == card.scored == 18
    assert sum(bench.gateway.asked.values()) - before == 18 - len(stored)


async def test_a_base_score_is_kept_apart(bench: Bench) -> None:
    async def verdict(task: Task, sample: int, answer: str) -> Verdict:
        if task.task_id == "t/5":
            return Verdict(task.task_id, sample, Status.NO_CODE)
        return Verdict(task.task_id, sample, Status(answer), base=Status.PASS, plus=Status(answer))

    bench.judge.verdict = verdict  # type: ignore[method-assign]
    [card] = await bench.run(await bench.plan(samples=1))
    assert card.pass_at_1 == pytest.approx(1 / 6)
    assert card.base_pass_at_1 == pytest.approx(5 / 6), "an answer without code passes no base tests either"


async def test_the_gateways_own_retries_are_not_timed(bench: Bench) -> None:
    plan = await bench.plan(samples=1)
    await bench.run(plan)
    verdicts = bench.path / "verdicts.jsonl"
    first, *others = [json.loads(line) for line in verdicts.read_text().splitlines()]
    verdicts.write_text("".join(json.dumps(row) + "\n" for row in ({**first, "gateway_attempts": 2}, *others)))
    await bench.run(plan)
    assert len(bench.progress.tally.total_ms) == 5


def test_a_later_outcome_replaces_an_earlier_one() -> None:
    assert Outcome("t/1", 2, Status.PASS).key == ("t/1", 2)
