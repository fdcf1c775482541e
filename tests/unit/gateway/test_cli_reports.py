"""`matrix` and `policy explain` against a real HTTP server that answers as a gateway does."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from click.testing import CliRunner, Result

from backends.price import Price
from backends.route import Revision, Route
from gateway.cli import matrix, policy
from gateway.cli.failure import ConfigFailure, Failure, MissingFailure
from policies.compile import decide
from policies.policy import Policy
from policies.request import RequestTraits
from policies.requirements import PassAt1
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot
from tests.fixtures.json_server import json_server

GOOD = Route(
    "good",
    "vllm",
    "m",
    Price(1_204_819_277, 1_204_819_277),
    context_window=128_000,
    licence="llama-3.1-community",
    residency="self_hosted",
    open_weights=True,
    fine_tuning=True,
    languages=frozenset({"python", "rust"}),
    revision=Revision("1"),
)
NEW = Route("new", "vllm", "m", Price(), revision=Revision("2"))
CARD = Scorecard(
    run_id="run-1",
    route="good",
    revision=GOOD.revision.id,
    suite="humaneval+",
    suite_hash="c0ffee",
    language="python",
    measured_at="2026-01-02T03:04:05Z",
    tasks=164,
    repetitions=3,
    asked=492,
    scored=490,
    no_answer=2,
    unscorable=0,
    pass_at_1=0.875,
    statuses={"pass": 430, "fail": 60, "no_answer": 2},
    ttft_p50_ms=123.4,
    ttft_p99_ms=456.0,
    total_p50_ms=1230.0,
    total_p99_ms=23456.0,
    input_tokens=80_000,
    output_tokens=60_000,
    cost_nanousd=168_674_698,
)
PARTIAL = replace(CARD, suite="mbpp+", partial=True, run_id="run-2")
OLDER = replace(CARD, route="new", revision="0ld", run_id="run-3")
POLICY = Policy("auto", "cheapest", (PassAt1("humaneval+", 0.80),))


class Gateway:
    """What the server answers; tests change it."""

    def __init__(self) -> None:
        self.evidence = Snapshot(7, (CARD, PARTIAL, OLDER))
        self.seen: list[tuple[str, str | None]] = []
        self.base_url = ""

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path == "/v1/models":
            entries = [_model(route) for route in (GOOD, NEW)]
            return 200, {"object": "list", "data": [*entries, {"id": "auto", "weighbridge": {"kind": "policy"}}]}
        if path == "/v1/scorecards":
            return 200, json.loads(self.evidence.encode())
        if path == "/v1/policies/auto/explain":
            traits = RequestTraits(int(query.get("input_tokens", 0)), None, query.get("language"))
            return 200, decide(POLICY, [GOOD, NEW], self.evidence, traits).explain()
        if path.startswith("/v1/policies/secret"):
            return 401, {"error": {"message": "no such key"}}
        return 404, {"error": {"message": f"nothing at {path}"}}


def _model(route: Route) -> dict[str, Any]:
    price = {"input_nanousd_per_million": route.price.input, "output_nanousd_per_million": route.price.output}
    facts = ("licence", "residency", "open_weights", "fine_tuning", "context_window")
    return {
        "id": route.name,
        "object": "model",
        "weighbridge": {
            "kind": "route",
            "revision": route.revision.id,
            "price": price,
            "languages": sorted(route.languages) if route.languages else None,
            "healthy": route is GOOD,
            **{fact: getattr(route, fact) for fact in facts},
        },
    }


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.delenv("WEIGHBRIDGE_API_KEY", raising=False)
    answers = Gateway()

    def answer(path: str, headers: Mapping[str, str]) -> tuple[int, object]:
        url = urlsplit(path)
        answers.seen.append((path, headers.get("authorization")))
        return answers.answer(url.path, dict(parse_qsl(url.query)))

    with json_server(answer) as base_url:
        answers.base_url = f"{base_url}/v1"
        yield answers


def run_matrix(gateway: Gateway, *options: str) -> Result:
    return CliRunner().invoke(matrix.command, ["--base-url", gateway.base_url, *options])


def run_explain(gateway: Gateway, *options: str, name: str = "auto") -> Result:
    return CliRunner().invoke(policy.command, ["explain", name, "--base-url", gateway.base_url, *options])


def test_matrix_fits_100_columns_and_shows_figures_facts_and_what_is_missing(gateway: Gateway) -> None:
    output = run_matrix(gateway).output
    assert max(map(len, output.splitlines())) <= 100
    words = " ".join(output.split())
    good, new = words.split("new NOT SERVING")
    assert good.startswith(f"good serving, revision {GOOD.revision.id} self_hosted; licence llama-3.1-community;")
    assert "open weights yes; context 128,000; fine-tuning yes;" in good
    assert "$1.20 in and $1.20 out per million tokens; languages: python, rust" in good
    assert "humaneval+ python 0.875 0.816 to 0.917 164 2 0" in good
    assert "mbpp+ python 0.875 0.816 to 0.917 164 2 0 partial suite" in good
    assert "humaneval+ python $0.0012 $0.000342835 $0.34 $0.000392267 123/456 1,230/23,456" in good
    assert "humaneval+ python unmeasured measured at 0ld mbpp+ python unmeasured" in new
    assert "licence ?; open weights ?; context ?" in new


def test_matrix_before_any_replay_says_how_to_measure(gateway: Gateway) -> None:
    gateway.evidence = Snapshot()
    output = run_matrix(gateway).output
    assert output.rstrip().endswith("nothing is measured yet: weighbridge replay SUITE --route ROUTE")


def test_matrix_as_json_keeps_money_in_nano_dollars(gateway: Gateway) -> None:
    found = json.loads(run_matrix(gateway, "--json").output)
    assert found["scorecards_version"] == 7
    good, new = found["routes"]
    assert (good["route"], good["revision"], good["healthy"]) == ("good", GOOD.revision.id, True)
    humaneval = good["results"][0]
    assert humaneval["cost_nanousd"] == {
        "per_1k_tokens": 1_204_819,
        "per_request": 342_835,
        "per_1000_calls": 342_834_752,
        "per_solved_task": 392_267,
    }
    assert humaneval["interval_95"] == pytest.approx([0.8156, 0.9172], abs=1e-4)
    assert humaneval["card"]["run_id"] == "run-1"
    assert [result["card"] for result in new["results"]] == [None, None]


def test_matrix_as_markdown_is_a_row_a_route(gateway: Gateway) -> None:
    head, rule, good, new, *_ = run_matrix(gateway, "--markdown").output.splitlines()
    assert head.count("|") == rule.count("|") == good.count("|") == new.count("|")
    assert good.startswith("| good | humaneval+ python<br>mbpp+ python | 0.875 (0.816 to 0.917)<br>0.875")
    assert "unmeasured (measured at 0ld)<br>unmeasured" in new


def test_unknown_costs_are_not_shown_as_free(gateway: Gateway) -> None:
    gateway.evidence = Snapshot(1, (replace(CARD, cost_nanousd=0, manifest={"cost_unknown": 492}),))
    found = json.loads(run_matrix(gateway, "--json").output)
    assert set(found["routes"][0]["results"][0]["cost_nanousd"].values()) == {None}


def test_published_figures_stand_apart(gateway: Gateway) -> None:
    gateway.evidence = Snapshot(1, (CARD, replace(CARD, origin="published", pass_at_1=0.5)))
    words = " ".join(run_matrix(gateway).output.split())
    assert "humaneval+ python 0.875" in words and "humaneval+ python (published) 0.500" in words
    none = {"tasks": 0, "asked": 0, "scored": 0, "no_answer": 0, "unscorable": 0, "units": (), "statuses": {}}
    untold = replace(CARD, origin="published", revision="published", **none)
    gateway.evidence = Snapshot(1, (CARD, untold))
    words = " ".join(run_matrix(gateway).output.split())
    assert "humaneval+ python (published) 0.875 - 0" in words
    assert "0.875 (no interval)" in run_matrix(gateway, "--markdown").output


def test_explain_shows_the_chosen_route_first_and_why_others_were_dropped(gateway: Gateway) -> None:
    result = run_explain(gateway, "--language", "python", "--input-tokens", "12")
    assert result.exit_code == 0
    assert "/v1/policies/auto/explain?language=python&input_tokens=12" in gateway.seen[0][0]
    lines = result.output.splitlines()
    assert lines[2] == "request: 12 tokens in, no max_tokens, language python"
    assert f"chosen   good, revision {GOOD.revision.id}" in lines
    words = " ".join(result.output.split())
    assert "ok pass_at_1: pass@1 on humaneval+ is at least 0.803 with 95% confidence (0.875 over 164 tasks)" in words
    dropped = f"dropped new, revision {NEW.revision.id} figure $0.00 per million tokens, 3 in to 1 out no pass_at_1:"
    assert dropped in words
    assert max(map(len, lines)) <= 100


def test_explain_as_json_is_the_gateways_explanation(gateway: Gateway) -> None:
    found = json.loads(run_explain(gateway, "--json").output)
    assert found == decide(POLICY, [GOOD, NEW], gateway.evidence, RequestTraits()).explain()


def test_explain_fails_when_no_route_qualifies_and_still_says_why(gateway: Gateway) -> None:
    result = run_explain(gateway, "--language", "cobol")
    assert isinstance(result.exception, Failure) and result.exception.exit_code == 1
    words = " ".join(result.output.split())
    assert "no request_language: not to be used for cobol, only for python, rust" in words


def test_errors_say_what_to_do(gateway: Gateway) -> None:
    unknown = run_explain(gateway, name="a/b").exception
    assert isinstance(unknown, ConfigFailure) and "nothing at /v1/policies/a%2Fb/explain" in str(unknown)
    refused = run_explain(gateway, name="secret").exception
    assert isinstance(refused, ConfigFailure) and "set WEIGHBRIDGE_API_KEY" in str(refused)
    server = gateway.base_url.removesuffix("/v1")
    short = CliRunner().invoke(policy.command, ["explain", "auto", "--base-url", server]).exception
    assert isinstance(short, ConfigFailure) and str(short).endswith(f"; write --base-url {server}/v1")
    both = run_matrix(gateway, "--json", "--markdown").exception
    assert isinstance(both, ConfigFailure)


def test_the_key_goes_along(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_API_KEY", "sk-1")
    run_matrix(gateway)
    assert {key for _, key in gateway.seen} == {"Bearer sk-1"}


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"data": [{"id": "gpt"}]}', b'{"version": 1}'])
def test_what_is_no_gateway_is_said_so(gateway: Gateway, body: bytes) -> None:
    gateway.answer = lambda path, query: (200, body)  # type: ignore[method-assign]
    assert isinstance(run_matrix(gateway).exception, MissingFailure)
    assert isinstance(run_explain(gateway).exception, MissingFailure)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:1/v1", "nonsense", "http://[::1"])
def test_no_gateway_is_said_so(base_url: str) -> None:
    error = CliRunner().invoke(matrix.command, ["--base-url", base_url]).exception
    assert isinstance(error, MissingFailure) and "weighbridge serve" in str(error)
