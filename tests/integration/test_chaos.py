"""`make chaos`, the small size; a seed gives the same plan; and each invariant sees what contradicts it."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.audit.evidence import Evidence, LimitState, Served
from tests.chaos.audit.invariants import INVARIANTS, audit
from tests.chaos.clients import Answer
from tests.chaos.deeds import Done
from tests.chaos.faults import conduct
from tests.chaos.plan import CANARY, DEEDS, plan
from tests.chaos.report import summary
from tests.chaos.run import play
from tests.chaos.speech import Usage, closing, error_event, opening, whole, word_event
from tests.chaos.store import Database

SEED, REQUESTS = 20261123, 2000
SMALL = plan(1, 40)
HEADERS = {"x-weighbridge-request-id": "r1", "x-weighbridge-cache": "miss", "content-type": "application/json"}
ASK = replace(
    SMALL.asks[0], wire="chat", stream=False, holder="dave", tenant="dave", prompt=f"{CANARY} question 1", id="s1-0"
)
WORDS = ("<dave|s1-0|question_1>", "w0", "w1", "<end>")
USAGE = Usage(40, 20, 4)
ROW: dict[str, Any] = {
    "id": "r1", "session": "s1-0", "outcome": "ok", "status": 200, "cache": "miss", "usage_source": "provider",
    "input_tokens": 40, "cached_input_tokens": 20, "output_tokens": 4, "cost_nanousd": 30_000, "key_id": "key_dave",
    "settled_at": 1.0e9,
    "team": None, "customer": None, "attempts": [{"replica": "http://a", "outcome": "ok"}],
}  # fmt: skip
SERVED = Served("s1-0", "a", 0, "none", USAGE, 4)
IDS = {holder.name: f"key_{holder.name}" for holder in SMALL.holders if holder.order is not None}


@pytest.mark.timeout(900)
async def test_chaos_among_random_requests_faults_and_deaths_every_invariant_holds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="chaos")
    outcome = await play(SEED, REQUESTS, tmp_path, Database())
    said = summary(outcome, f"python -m tests.chaos --seed {SEED} --requests {REQUESTS}")
    assert outcome.holds, said
    assert set(outcome.evidence.done.deeds) == set(DEEDS)


def test_a_seed_gives_the_same_plan_and_the_same_faults() -> None:
    assert plan(7, 500) == plan(7, 500)
    assert plan(7, 500).asks != plan(8, 500).asks
    assert conduct(7, "a", "x", 0, "<m>") == conduct(7, "a", "x", 0, "<m>")
    assert {act.deed for act in plan(3, 2000).acts} == set(DEEDS)


def evidence(**changes: Any) -> Evidence:
    """Of one request that went well."""
    answer = Answer(ASK, 0.0, 1.0, "complete", 200, dict(HEADERS), whole("chat", WORDS, USAGE))
    entry = b'{"content_type":"application/json","pieces":[%s]}'
    body = whole("chat", WORDS, USAGE).decode()
    known: dict[str, Any] = {
        "plan": SMALL, "answers": [answer], "rows": [dict(ROW)], "served": [SERVED], "done": Done(),
        "servers": {"http://a": "a"}, "key_ids": IDS, "limits": [LimitState("key:key_dave", 0, 30_000, ())],
        "entries": {"k": entry % _quoted(body)}, "texts": {"log of gateway 0": "all is well"}, "secrets": (CANARY,),
    }  # fmt: skip
    return Evidence(**(known | changes))


def _quoted(text: str) -> bytes:
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


def answered(body: bytes = b"", *, stream: bool = True, **changes: Any) -> dict[str, Any]:
    headers = {**HEADERS, "content-type": "text/event-stream" if stream else "application/json"}
    answer = Answer(replace(ASK, stream=stream), 0.0, 1.0, "complete", 200, headers, body)
    for name, value in changes.items():
        setattr(answer, name, value)
    return {"answers": [answer]}


def row(**changes: Any) -> dict[str, Any]:
    return {"rows": [{**ROW, **changes}]}


def said(*words: str) -> bytes:
    return opening("chat", USAGE) + b"".join(word_event("chat", word) for word in words)


STREAMED = said(*WORDS) + closing("chat", WORDS, USAGE, asked_for_usage=True)
DOCTORED: list[tuple[str, dict[str, Any]]] = [
    ("statuses_are_those_of_the_faults", answered(status=500)),
    ("only_a_death_cuts_an_answer", answered(said("a"), end="cut")),
    ("only_a_death_cuts_an_answer", answered(end="no answer", status=0, headers={})),
    ("answers_are_whole_or_say_that_they_are_not", answered(said(*WORDS[:2]))),
    ("answers_are_whole_or_say_that_they_are_not", answered(said("a") + error_event("chat") + STREAMED)),
    ("answers_are_whole_or_say_that_they_are_not", answered(b'{"choices": [', stream=False)),
    ("nobody_hears_another_tenants_answer", answered(STREAMED.replace(b"<dave|", b"<acme|"))),
    ("nobody_hears_another_tenants_answer", answered(STREAMED.replace(b"question_1", b"question_2"))),
    ("nobody_hears_another_tenants_answer", answered(STREAMED.replace(b"|s1-0|", b"|s1-9|"))),
    ("every_request_has_one_row", {"rows": []}),
    ("every_request_has_one_row", {"rows": [ROW, ROW]}),
    ("every_request_has_one_row", {"rows": [ROW, {**ROW, "id": "r2"}]}),
    ("every_request_has_one_row", row(outcome=None)),
    ("rows_say_what_clients_heard", row(status=502)),
    ("what_came_from_elsewhere_is_free", row(cache="hit")),
    ("provider_rows_are_the_upstreams_own", row(output_tokens=5, cost_nanousd=32_000)),
    ("whole_answers_are_billed_by_the_provider", row(usage_source="estimated")),
    ("other_rows_are_within_their_bound", row(usage_source="estimated", output_tokens=9)),
    ("costs_are_tokens_times_prices", row(cost_nanousd=48_000)),
    ("hard_budgets_are_never_overrun", row(cost_nanousd=9_000_000)),
    ("soft_budgets_are_overrun_by_what_is_under_way_at_most", {"rows": [
        {**ROW, "id": f"r{number}", "session": f"x{number}", "key_id": "key_erin", "cost_nanousd": 900_000}
        for number in range(9)
    ]}),
    ("nothing_is_reserved_any_more", {"limits": [LimitState("key:key_dave", 5, 30_000, ("r1",))]}),
    ("valkey_knows_what_was_spent", {"limits": [LimitState("key:key_dave", 0, 1, ())]}),
    ("valkey_knows_what_was_spent", {"limits": [LimitState("key:key_dave", 0, 60_000, ())]}),
    ("cache_entries_are_whole_answers", {"entries": {"k": b'{"content_type":"text/event-stream","pieces":["x"]}'}}),
    ("logs_hold_no_traceback", {"texts": {"log of gateway 0": '"exception": "Traceback (most recent call last)"'}}),
    ("nobody_wrote_a_secret_down", {"texts": {"metrics": f"# {CANARY}"}}),
    ("gateways_stopped_in_order", {"done": Done(exit_codes=[0, -9])}),
]  # fmt: skip


def test_one_request_that_went_well_contradicts_nothing() -> None:
    assert not any(audit(evidence()).values())
    assert not any(audit(evidence(**answered(STREAMED))).values())
    twice = {"limits": [LimitState("key:key_dave", 0, 60_000, ())], "done": Done(forgot=[1.0e9 + 3])}
    assert not any(audit(evidence(**twice)).values())
    assert not any(audit(evidence(**answered(said("a") + error_event("chat")))).values())


@pytest.mark.parametrize(("invariant", "changes"), DOCTORED, ids=lambda value: value if isinstance(value, str) else "")
def test_an_invariant_sees_what_contradicts_it(invariant: str, changes: dict[str, Any]) -> None:
    assert audit(evidence(**changes))[invariant]


def test_every_invariant_is_tried() -> None:
    tried: set[Callable[..., object]] = {each for each in INVARIANTS if each.__name__ in dict(DOCTORED)}
    assert tried == set(INVARIANTS)
