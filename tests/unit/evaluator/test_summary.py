import json
from pathlib import Path

from evaluator.replaying.client import Sampling, Target
from evaluator.replaying.plan import Plan
from evaluator.replaying.summary import Posted, Summary
from evaluator.scorecards import Tally
from evaluator.store.records import Outcome, Sample
from evaluator.suites import FunctionCheck, Part, Suite, Task
from evaluator.verdict import Status
from policies.scorecard import Scorecard

_CHECK = FunctionCheck((Part("tests", ((1,),), (1,)),), oracle="exact")
_SUITE = Suite("small", "weighbridge", "0" * 64, tuple(Task(f"t/{n}", "python", "", "f", "", _CHECK) for n in range(4)))
_CARD = Scorecard("r", "llama", "a", "small", "0", "python", "2026-03-01T00:00:00+00:00", 4, 1, 4, 2, 1, 1, 0.5)


def _summary(
    kind: str = "route", limit: int | None = None, cards: tuple[Scorecard, ...] = (_CARD,), asked_now: int = 4
) -> Summary:
    target = Target("llama", kind, "aaaabbbbcccc", is_gateway=True)  # type: ignore[arg-type]
    plan = Plan.of(_SUITE, target, "http://h/v1", sampling=Sampling(), samples=2, limit=limit, seed=3, cache="no-store")
    tally = Tally()
    for number, status in enumerate((Status.PASS, Status.TIMEOUT, Status.NO_ANSWER, Status.UNSCORABLE)):
        sample = Sample(f"t/{number}", 0, "2026-03-01", 1, answer="x", ttft_ms=100, total_ms=2000, input_tokens=1000)
        tally.add(
            sample, Outcome(f"t/{number}", 0, status, base=Status.PASS, detail=f"why {status}", cost_nanousd=500_000)
        )
    tally.add_repeat()
    return Summary(
        plan, Path("runs/r"), tally, cards, asked_now, 65.0, Posted(True, "posted (1)"), "weighbridge replay x"
    )


def test_a_run_ends_with_ten_lines_at_most() -> None:
    lines = _summary().lines()
    assert len(lines) <= 10
    text = "\n".join(lines)
    assert "small on route llama, revision aaaabbbbcccc" in text
    assert "pass@1   0.500  [0.095, 0.905] at 95%, n = 2 tasks; pass@2 -; base 1.000" in text
    assert "4 = 2 scored (1 pass, 1 timeout) + 1 no answer + 1 unscorable; 1 from cache, left out" in text
    assert "  errors   1 x why no_answer" in text
    assert "first token p50 100 ms, p99 100 ms; whole p50 2,000 ms" in text
    assert "$0.0020 ($0.0020 a solved sample); 4,000 tokens in" in text
    assert "1 m 05 s for 4 samples" in text
    assert "runs/r; scorecards posted (1)" in text
    assert lines[-1].endswith("weighbridge replay x")


def test_a_slice_is_labelled_partial() -> None:
    assert _summary(limit=2).lines()[0].endswith("PARTIAL, 2 tasks drawn with seed 3")


def test_a_run_that_was_complete_says_that_nothing_was_asked() -> None:
    assert "nothing was asked; --new-run asks again" in _summary(asked_now=0).lines()[0]


def test_a_policys_routes_are_named_and_not_scored_as_theirs() -> None:
    lines = _summary("policy", cards=(_CARD,) * 8).lines()
    assert len(lines) <= 10
    [routes] = [line for line in lines if line.startswith("  routes")]
    assert "llama 0.500 of 4" in routes and "2 more" in routes and "not the routes' own scores" in routes


def test_json_holds_scorecards_and_the_same_figures() -> None:
    document = json.loads(json.dumps(_summary().as_json()))
    summary = document["summary"]
    assert summary["asked"] == summary["scored"] + summary["no_answer"] + summary["unscorable"]
    assert (summary["pass_at_1"], summary["base_pass_at_1"], summary["pass_at_2"]) == (0.5, 1.0, None)
    assert summary["interval"]["low"] < 0.5 < summary["interval"]["high"]
    assert document["scorecards"][0]["route"] == "llama"
