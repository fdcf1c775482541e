"""Samples asked again so that the cache answers, over real HTTP; the judge passes what says so."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluator.replaying.asking import Retries
from evaluator.replaying.cache_honesty import FILE, CacheCheck, CacheReport
from evaluator.replaying.client import Client, Sampling
from evaluator.replaying.plan import Plan
from evaluator.replaying.progress import Progress
from evaluator.replaying.replay import Limits, Replay
from evaluator.scorecards import scorecards
from evaluator.store.run_folder import RunFolder
from evaluator.suites import FunctionCheck, Part, Suite, Task
from evaluator.verdict import Status, Verdict
from policies.scorecard import Scorecard
from tests.contract_gateway import ContractGateway
from tests.contract_gateway import Status as HttpStatus


def _task(number: int) -> Task:
    check = FunctionCheck((Part("tests", ((1,),), (1,)),), oracle="exact")
    return Task(f"t/{number}", "python", f"def task_{number}(x):\n", f"task_{number}", "", check)


SUITE = Suite("small", "weighbridge", "0" * 64, tuple(_task(number) for number in range(3)))


class SayingJudge:
    async def verdict(self, task: Task, sample: int, answer: str) -> Verdict:
        return Verdict(task.task_id, sample, Status(answer.split()[0]))


class Remembering:
    """A gateway whose cache gives what it was last told; ``says`` words the answers, ``hits`` says when it answers."""

    def __init__(self) -> None:
        self.says: Callable[[bool, int], str] = lambda cached, number: f"pass {number}"
        self.is_hit: Callable[[bool, int], bool] = lambda again, number: again
        self._number: Counter[str] = Counter()
        self._kept: dict[str, int] = {}
        self.gateway = ContractGateway(answer=self._answer, cache=self._cache)

    def _again(self, message: str) -> bool:
        """Of one task only one request is under way, the last one that was received."""
        received = zip(reversed(self.gateway.bodies), reversed(self.gateway.headers), strict=True)
        headers = next(headers for body, headers in received if body["messages"][-1]["content"] == message)
        return headers.get("cache-control") != "no-cache"

    def _cache(self, message: str, before: int) -> str:
        return "hit" if self.is_hit(self._again(message), before) else "miss"

    def _answer(self, message: str) -> str:
        before = self.gateway.asked[message] - 1
        if self.is_hit(self._again(message), before):
            return self.says(True, self._kept[message])
        self._number[message] += 1
        self._kept[message] = self._number[message]
        return self.says(False, self._kept[message])


async def _run(server: Remembering, path: Path, samples: int = 2) -> tuple[CacheReport, list[Scorecard]]:
    with server.gateway.running() as gateway, RunFolder(path) as folder:
        async with Client(gateway.base_url, None, cache="both") as client:
            target = await client.target("llama", "route")
            plan = Plan.of(
                SUITE, target, gateway.base_url, sampling=Sampling(), samples=samples, limit=None, seed=0, cache="both"
            )
            with CacheCheck(folder.path, plan, client, SayingJudge(), waits_s=(0, 0.01, 0.01)) as cached:
                progress = Progress("small", plan.total)
                retries = Retries(limit=0)
                replay = Replay(
                    plan, folder, client, SayingJudge(), progress, limits=Limits(4, 2), retries=retries, cached=cached
                )
                await replay.run()
                outcomes = {outcome.key: outcome for outcome in folder.outcomes.rows()}
                return cached.report(outcomes), scorecards(plan, folder, {})


async def test_an_honest_cache_gives_every_fresh_answer_again(tmp_path: Path) -> None:
    server = Remembering()
    report, cards = await _run(server, tmp_path / "run")
    assert report == CacheReport(compared=6, same=6, unlike=(), not_cached=0, fresh_passes=6, cached_passes=6)
    assert "6 samples again: 6 the same answer, 0 scored otherwise; passed 1.000 fresh, 1.000 cached" in report.line()
    asked = Counter(headers.get("cache-control") for headers in server.gateway.headers)
    assert asked == {"no-cache": 6, None: 6}
    (card,) = cards
    assert (card.asked, card.scored, card.repetitions) == (6, 6, 2), "what the cache answered is no sample"
    assert card.manifest["from_cache"] == 0


async def test_repetitions_do_not_overwrite_each_others_answer_before_it_is_asked_again(tmp_path: Path) -> None:
    server = Remembering()
    server.gateway.delay_s = 0.01
    report, _ = await _run(server, tmp_path / "run", samples=5)
    assert (report.compared, report.same) == (15, 15)


async def test_a_cached_answer_that_scores_otherwise_is_reported(tmp_path: Path) -> None:
    server = Remembering()
    server.says = lambda cached, number: "fail" if cached else "pass"
    report, cards = await _run(server, tmp_path / "run", samples=1)
    assert (report.compared, report.same, len(report.unlike)) == (3, 0, 3)
    assert (report.fresh_passes, report.cached_passes) == (3, 0)
    assert {(row.fresh, row.cached) for row in report.unlike} == {("pass", "fail")}
    assert cards[0].pass_at_1 == 1.0
    rows = [json.loads(line) for line in (tmp_path / "run" / FILE).read_text().splitlines()]
    assert {row["task_id"] for row in rows} == {"t/0", "t/1", "t/2"}


async def test_another_answer_with_the_same_score_is_no_mismatch_but_not_the_same(tmp_path: Path) -> None:
    server = Remembering()
    server.says = lambda cached, number: "pass but shorter" if cached else "pass"
    report, _ = await _run(server, tmp_path / "run", samples=1)
    assert (report.compared, report.same, report.unlike) == (3, 0, ())
    assert (report.fresh_passes, report.cached_passes) == (3, 3)


async def test_an_answer_that_is_not_there_yet_is_asked_for_once_more_and_compared_with_what_came(
    tmp_path: Path,
) -> None:
    server = Remembering()
    server.is_hit = lambda again, before: again and before > 1
    report, cards = await _run(server, tmp_path / "run", samples=1)
    assert (report.compared, report.same, report.not_cached) == (3, 3, 0)
    assert cards[0].asked == 3


async def test_a_cache_that_never_answers_is_said_so(tmp_path: Path) -> None:
    server = Remembering()
    server.is_hit = lambda again, before: False
    report, _ = await _run(server, tmp_path / "run", samples=1)
    assert (report.compared, report.not_cached) == (0, 3)
    assert "answered none of 3 samples" in report.line()


async def test_samples_without_an_answer_are_not_asked_again(tmp_path: Path) -> None:
    server = Remembering()
    server.gateway.fault = lambda message, before: HttpStatus(400)
    report, cards = await _run(server, tmp_path / "run", samples=1)
    assert (report.compared, report.not_cached) == (0, 0)
    assert cards[0].no_answer == 3 and len(server.gateway.headers) == 3


@pytest.mark.parametrize("samples", [1, 3])
async def test_a_finished_run_reports_again_without_asking(tmp_path: Path, samples: int) -> None:
    server = Remembering()
    first, _ = await _run(server, tmp_path / "run", samples)
    asked = len(server.gateway.headers)
    # The server is started anew and listens elsewhere, but the folder's rows are what counts.
    again, cards = await _run(server, tmp_path / "run", samples)
    assert (again, len(server.gateway.headers)) == (first, asked)
    assert cards[0].asked == 3 * samples
