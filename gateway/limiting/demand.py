"""How much a request may come to: the most that it can, and what is to be expected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from backends.backend import Call, WireName
from backends.price import Price
from backends.route import Route
from gateway.problem import Problem
from policies.request import RequestTraits

_LIMIT_FIELDS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_LIMIT_FIELD: Mapping[WireName, str] = {
    "chat": "max_tokens",
    "completions": "max_tokens",
    "responses": "max_output_tokens",
    "messages": "max_tokens",
}
"""The wires whose answers have a length, and the field that every server knows for it."""

_UNSTATED_OUTPUT = 4096
_UNSTATED_CONTEXT = 1_000_000
_OVERHEAD_TOKENS = 1024  # a chat template's own, and what Anthropic adds for tools
_UNBOUND_INPUT = ("previous_response_id", "conversation", "container")
_MILLION = 1_000_000
_MOST = 2**53 - 1  # what Lua can count to


@dataclass(frozen=True, slots=True)
class Demand:
    """Money in nano-dollars, at the dearest of the routes that may answer."""

    worst: int
    """With every byte of input a token, and as long an answer as is asked for."""
    input_cost: int
    """Of the input as it is estimated."""
    output_price: int
    """A million output tokens."""
    most_output: int
    """Tokens; 0: not known."""
    input_tokens: int
    most_input: int = 0
    """Tokens, as ``worst`` has them."""
    answers: int = 1
    """How many of one route may have to be paid."""


def demand_of(
    call: Call, traits: RequestTraits, routes: Sequence[Route], *, all_of_them: bool = False, hedged: bool = False
) -> Demand:
    """``all_of_them``: each route's answer may have to be paid, not one's only; ``hedged``: two of one's.

    Raises ``Problem`` 400.
    """
    if call.wire == "count_tokens":
        return Demand(0, 0, 0, 0, 0)
    answers = _answers(call)
    output = (_stated_output(call) or 0) * answers
    most_input = _most_input(call, traits)
    each = [_worst(route, most_input, output) for route in routes]
    copies = 2 if hedged else 1
    inputs, outputs = zip(*(_dearest(route.price) for route in routes), strict=True)
    return Demand(
        worst=min(_MOST, (sum(each) if all_of_them else max(each)) * copies),
        input_cost=min(_MOST, _cost(traits.input_tokens_estimate * max(inputs))),
        output_price=max(outputs) if call.wire in _LIMIT_FIELD else 0,
        most_output=min(_MOST, output),
        input_tokens=traits.input_tokens_estimate,
        most_input=most_input,
        answers=copies,
    )


def bounded(call: Call, routes: Sequence[Route]) -> Call:
    """The call with an end to its answer: without one it has no worst case. Raises ``Problem`` 400."""
    field = _LIMIT_FIELD.get(call.wire)
    if field is None or _stated_output(call) is not None:
        return call
    most = min(route.max_output_tokens or _UNSTATED_OUTPUT for route in routes)
    fields = {name: raw for name, raw in call.fields.items() if name not in _LIMIT_FIELDS}
    return replace(call, fields={**fields, field: msgspec.Raw(str(most).encode())})


def most_content(route: Route, demand: Demand, others_nanousd: int) -> int | None:
    """The output tokens that are paid by what ``demand`` can come to on this route, less what other answers have cost.

    None: any number of them. The input is counted as it is estimated, as it is where an answer is cut.
    """
    of_input, of_output = _dearest(route.price)
    if not of_output or not demand.most_output:
        return None
    left = _worst(route, demand.most_input, demand.most_output) * demand.answers - others_nanousd
    return max(0, left * _MILLION - demand.input_tokens * of_input) // of_output


def _worst(route: Route, most_input: int, output: int) -> int:
    fitting = most_input if route.context_window is None else min(most_input, route.context_window)
    of_input, of_output = _dearest(route.price)
    return _cost(fitting * of_input + output * of_output)


def _most_input(call: Call, traits: RequestTraits) -> int:
    """A token is a byte at least. What the body only refers to may fill the context window."""
    if "vision" in traits.needs or any(name in call.fields for name in _UNBOUND_INPUT):
        return _UNSTATED_CONTEXT
    return sum(len(bytes(raw)) for raw in call.fields.values()) + _OVERHEAD_TOKENS


def _dearest(price: Price) -> tuple[int, int]:
    """A million tokens in, and a million out, whatever kind they are of."""
    kinds = (price.input, price.cached_input or 0, price.cache_write or 0, price.cache_write_1h or 0)
    if price.long is None:
        return max(kinds), price.output
    of_input, of_output = _dearest(price.long)
    return max(*kinds, of_input), max(price.output, of_output)


def _cost(millionths: int) -> int:
    return -(-millionths // _MILLION)


def _stated_output(call: Call) -> int | None:
    """The largest limit that is given; None where none is that a server goes by."""
    given = [_count(call, name) for name in _LIMIT_FIELDS if name in call.fields]
    limits = [limit for limit in given if limit is not None]
    return max(limits) if limits and min(limits) > 0 else None


def _answers(call: Call) -> int:
    """How many are made at once: for each prompt, ``n`` or the best of how many."""
    wanted = [_count(call, name) or 1 for name in ("n", "best_of") if name in call.fields]
    return max([1, *wanted]) * (_prompts(call.fields["prompt"]) if "prompt" in call.fields else 1)


def _prompts(raw: msgspec.Raw) -> int:
    """A completion may have several, as texts or as tokens."""
    prompt: object = msgspec.json.decode(raw)
    if not isinstance(prompt, list) or all(type(token) is int for token in prompt):
        return 1
    return len(prompt)


def _count(call: Call, name: str) -> int | None:
    """Raises ``Problem`` 400 for what is no whole number: servers differ in what they make of it."""
    try:
        return msgspec.json.decode(call.fields[name], type=int | None, strict=True)
    except msgspec.DecodeError as error:
        raise Problem(400, "invalid_request", f"{name} is not a whole number", param=name) from error
