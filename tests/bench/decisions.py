"""What a decision costs: `python -m tests.bench.decisions` prints microseconds, the best and the median of rounds.

20 routes with scorecards in 16 languages, gated in the request's own, pooled; a request that fits, one that half of the
routes must be dropped for, and one that no route qualifies for, so that `otherwise` decides. Then the language of
requests of several kinds, where a session's place is found in its prompt, and what a learned model's look at it costs.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import median
from timeit import repeat
from typing import Any

import click
import msgspec

from backends.backend import Call
from backends.price import Price
from backends.route import Capability, Route
from gateway.routing.opening import prompt_of
from gateway.routing.request_language import language_of
from gateway.routing.sticky import place_of
from policies.compile import compile_policy
from policies.costs import PricePer1k
from policies.decide import CompiledPolicy
from policies.facts import LanguagesInclude
from policies.kinds import Canary, Fallback, Shadow, Stick, Weighted
from policies.languages import LANGUAGES, OF_REQUEST
from policies.latency import Latency
from policies.learned import LearnedModel
from policies.policy import Policy
from policies.request import RequestTraits
from policies.requirements import PassAt1
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot
from tests.fixtures.learned_file import model_file

ROUTES = 20
DECISION_BUDGET_US, LANGUAGE_BUDGET_US, LEARNED_BUDGET_US = 30, 150, 1_000
_ROUNDS, _CALLS = 500, 10  # short rounds: some of them are not interrupted, on a busy machine too


def compiled(**kind: Any) -> CompiledPolicy:
    routes = [_route(number) for number in range(ROUTES)]
    cards = tuple(_card(route, language) for route in routes for language in sorted(LANGUAGES))
    requirements = (
        LanguagesInclude(frozenset(("python", "rust"))),
        PricePer1k(10**9),
        PassAt1("suite", 0.5, OF_REQUEST, pooled=True),
        Latency("ttft_p99_ms", 5000, "suite", OF_REQUEST),
    )
    policy = Policy("auto", "cheapest", requirements, "most_accurate", **kind)
    return compile_policy(policy, routes, Snapshot(1, cards))


def kinds() -> Mapping[str, CompiledPolicy]:
    names = [f"route-{number}" for number in range(ROUTES)]
    return {
        "weighted, 20 routes": compiled(kind=Weighted(tuple((name, 5.0) for name in names))),
        "canary": compiled(kind=Canary("route-1", "route-2", "suite", "rust", 0.8)),
        "fallback, 20 routes": compiled(kind=Fallback(tuple(names))),
        "20 routes, one mirrored to": compiled(shadow=Shadow("route-19", 1.0)),
        "20 routes, the session stays": compiled(stick=Stick(0.99)),
    }


def requests() -> Mapping[str, RequestTraits]:
    needs: frozenset[Capability] = frozenset(("tools", "json_schema"))
    fits = RequestTraits(2_000, 1_000, "rust", needs)
    return {
        "20 routes fit": fits,
        "10 routes lack vision": replace(fits, needs=needs | {"vision"}),
        "none fits": replace(fits, input_tokens_estimate=10**9),
    }


def prompts() -> Mapping[str, object]:
    code = "".join(f"    def method_{n}(self) -> int:\n        return self.value.of({n})\n" for n in range(2000))
    return {
        "one question": [{"role": "user", "content": "Write a function in Python that adds two numbers."}],
        "a long conversation": [
            {"role": "user", "content": f"```python\n{code}```\nin src/main.py:{n}"} for n in range(9)
        ],
        "nothing but dots": [{"role": "user", "content": "." * 100_000}],
        "nothing but file names": [{"role": "user", "content": "a.py " * 20_000}],
    }


@click.command()
def main() -> None:
    policy = compiled()
    for name, request in requests().items():
        _print(f"decision: {name}", lambda request=request: policy.decide(request), DECISION_BUDGET_US)  # type: ignore[misc]
    in_session = replace(requests()["20 routes fit"], draw=0x0123456789ABCDEF, previous="route-7")
    for name, policy in kinds().items():
        _print(f"decision: {name}", lambda policy=policy: policy.decide(in_session).shadow, DECISION_BUDGET_US)  # type: ignore[misc]
    for name, messages in prompts().items():
        fields = msgspec.json.decode(json.dumps({"messages": messages}), type=dict[str, msgspec.Raw])
        _print(f"language: {name}", lambda fields=fields: language_of(fields), LANGUAGE_BUDGET_US)  # type: ignore[misc]
    for name, content in {"short": "Write a function.", "100 KB": "." * 100_000}.items():
        fields = msgspec.json.decode(json.dumps({"messages": [{"content": content}]}), type=dict[str, msgspec.Raw])
        call = Call("chat", fields, stream=False)
        _print(f"session's place: opening {name}", lambda call=call: place_of(call), LANGUAGE_BUDGET_US)  # type: ignore[misc]

    learned = compiled_learned()
    for name, text in asked().items():
        fields = msgspec.json.decode(
            json.dumps({"messages": [{"role": "user", "content": text}]}), type=dict[str, msgspec.Raw]
        )
        call = Call("chat", fields, stream=False)
        assert learned.decide(RequestTraits(prompt=prompt_of(call, RequestTraits()))).ordered_by == "learned"
        _print(
            f"learned: {name}",
            lambda call=call: learned.decide(RequestTraits(prompt=prompt_of(call, RequestTraits()))),  # type: ignore[misc]
            LEARNED_BUDGET_US,
        )


def compiled_learned() -> CompiledPolicy:
    """Two routes, as the model knows them."""
    routes = [Route(name, "vllm", "m", Price(price, price)) for name, price in (("small", 1), ("large", 5))]
    file = model_file(revisions={route.name: route.revision.id for route in routes})
    model = LearnedModel.of(file, file.worth_nanousd, "learned.json")
    return compile_policy(Policy("auto", "cheapest", learned=model), routes, Snapshot())


def asked() -> Mapping[str, str]:
    words = " ".join(f"sort{a}{b}" for a in "abcdefghijklmnopqrstuvwxyz" for b in "abcdefghijklmnopqrstuvwxyz")
    question = 'Complete this.\n\n```python\ndef add(a: int, b: int) -> int:\n    """Add a to b, unless b is 0."""\n```'
    return {"a function of 100 characters": question, "5 KB of different words": words, "60 KB of them": words * 12}


def _print(name: str, call: Callable[[], object], budget_us: int) -> None:
    times = [seconds / _CALLS * 1e6 for seconds in repeat(call, number=_CALLS, repeat=_ROUNDS)]
    click.echo(f"{name:38} best {min(times):6.1f} us, median {median(times):6.1f} us; budget {budget_us} us")


def _route(number: int) -> Route:
    return Route(
        f"route-{number}",
        "vllm",
        "m",
        Price(number + 1, number + 1),
        context_window=128_000,
        max_output_tokens=8_000,
        languages=LANGUAGES,
        capabilities={"tools": True, "json_schema": True, "vision": number % 2 == 0},
    )


def _card(route: Route, language: str) -> Scorecard:
    return Scorecard(
        run_id="run",
        route=route.name,
        revision=route.revision.id,
        suite="suite",
        suite_hash="0",
        language=language,
        measured_at="2026-01-01T00:00:00Z",
        tasks=160,
        repetitions=1,
        asked=160,
        scored=160,
        no_answer=0,
        unscorable=0,
        pass_at_1=0.9,
        ttft_p99_ms=900.0,
    )


if __name__ == "__main__":
    main()
