"""Holds a request's answer until it has been looked at; asks the decision's next route where it failed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from backends.backend import Call, Piece
from backends.route import Route
from backends.usage import Usage
from gateway.pipeline.account import Spent
from gateway.pipeline.attempts import Attempts
from gateway.problem import Problem
from gateway.verify import confidence
from gateway.verify.question import question_of
from gateway.verify.said import said_by
from policies.request import RequestTraits
from policies.verify import Check, Form, Found, Verification, Verifier

_GIVEN_UP = "given_up"
"""The outcome of an attempt that would have taken too long: an earlier attempt's answer goes out."""

_REJECTED = "rejected"
_SKIPPED = Found("skipped")


@dataclass(frozen=True, slots=True)
class Held:
    """A whole answer, and what became of looking at it."""

    route: Route
    content_type: str
    streamed: bool
    pieces: list[Piece]
    spent: Spent
    found: Found = _SKIPPED


@dataclass(slots=True)
class Asking:
    """One request whose answers are to be verified. ``ends`` is the event loop's time after which none is asked for."""

    call: Call
    routes: Sequence[Route]
    traits: RequestTraits
    rule: Verification
    check: Check
    ends: float
    spent: list[Spent] = field(default_factory=list)
    """One for each answer that was asked for."""


class Holding:
    """``verifiers``: those of the forms that policies ask for."""

    def __init__(self, attempts: Attempts, verifiers: Mapping[Form, Verifier]) -> None:
        self._attempts = attempts
        self._verifiers = verifiers

    async def check(self, rule: Verification, call: Call) -> Check | None:
        """None where there is nothing to go by: the answer need not be held."""
        if rule.by == "confidence" and not confidence.can_ask(call):
            return None
        question = question_of(call)
        return await self._verifiers[rule.by].check(question, rule) if question is not None else None

    async def answer(self, asking: Asking, spent: Spent) -> Held:
        """The first answer that does not fail; else the best of those that the budgets allowed. Raises ``Problem``.

        ``spent`` is filled in: the answer's own figures, and what the others have cost.
        """
        chosen: Held | None = None
        try:
            chosen = await self._chosen(asking, spent)
            if chosen.found.verdict == "unavailable" and asking.rule.when_unavailable == "decline":
                message = "the answer could not be verified, as this policy wants it; try again later"
                raise Problem(503, "verification_unavailable", message, retry_after=2)
            return chosen
        finally:
            _sum_up(spent, asking.spent, chosen.spent if chosen is not None else None)

    async def _chosen(self, asking: Asking, spent: Spent) -> Held:
        held = await self._look(asking, await self._hold(asking, asking.routes, spent), spent)
        failed: list[Held] = []
        while held.found.verdict == "failed":
            failed.append(held)
            following = await self._next(asking, _after(asking.routes, held.route), failed, spent)
            if following is None:
                return _best(failed, first=asking.rule.best_first)
            held = following
        return held

    async def _next(self, asking: Asking, routes: Sequence[Route], failed: Sequence[Held], spent: Spent) -> Held | None:
        """The next route's answer, looked at; None where the budgets are used up, or none answers."""
        routes = _affordable(routes, asking, failed[-1])
        if not routes or asyncio.get_running_loop().time() >= asking.ends:
            return None
        before = len(spent.attempts)
        try:
            async with asyncio.timeout_at(asking.ends):
                held = await self._hold(asking, routes, spent)
        except TimeoutError:
            if len(spent.attempts) > before:
                spent.attempts[-1] = msgspec.structs.replace(spent.attempts[-1], outcome=_GIVEN_UP)
            return None
        except Problem:
            return None  # the attempts say why
        return await self._look(asking, held, spent)

    async def _hold(self, asking: Asking, routes: Sequence[Route], spent: Spent) -> Held:
        """A whole answer. Raises ``Problem``."""
        own = Spent(onward=spent.onward, attempts=spent.attempts, most_content=spent.most_content)
        asking.spent.append(own)
        asks = asking.rule.by == "confidence"
        call = confidence.with_logprobs(asking.call) if asks else asking.call
        try:
            started = await self._attempts.start(routes, call, own)
        finally:
            spent.route = own.route
        answer, pieces = started.answer, list(started.first)
        await self._attempts.finish(started, own, asking.traits.input_tokens_estimate, pieces.extend)
        return Held(started.place.route, answer.content_type, answer.streamed, pieces, own)

    async def _look(self, asking: Asking, held: Held, spent: Spent) -> Held:
        said = said_by(asking.call.wire, (piece.data for piece in held.pieces))
        found = await asking.check.look(said) if said is not None else _SKIPPED
        outcome = _REJECTED if found.verdict == "failed" else "ok"
        spent.attempts[-1] = msgspec.structs.replace(spent.attempts[-1], outcome=outcome, verify=found.verdict)
        plain = asking.rule.by == "confidence" and not confidence.asks(asking.call)
        return replace(held, found=found, pieces=confidence.without_logprobs(held.pieces) if plain else held.pieces)


def _after(routes: Sequence[Route], route: Route) -> Sequence[Route]:
    return routes[[each.name for each in routes].index(route.name) + 1 :]


def _affordable(routes: Sequence[Route], asking: Asking, last: Held) -> Sequence[Route]:
    """Those with which the request stays within its budget, were the next answer as long as the last."""
    most = asking.rule.max_cost_nanousd
    if most is None:
        return routes
    left = most - sum(own.cost_nanousd for own in asking.spent)
    usage = last.spent.usage or Usage(asking.traits.input_tokens_estimate, asking.traits.max_tokens or 0)
    return [route for route in routes if route.price.cost(usage) <= left]


def _best(failed: Sequence[Held], *, first: bool) -> Held:
    return max(enumerate(failed), key=lambda item: (item[1].found.score, -item[0] if first else item[0]))[1]


def _sum_up(spent: Spent, each: Sequence[Spent], chosen: Spent | None) -> None:
    """The row tells of the answer that went out, or else of the last asked for; its cost is that of all."""
    chosen = chosen or (each[-1] if each else None)
    if chosen is not None:
        spent.route, spent.usage, spent.usage_source = chosen.route, chosen.usage, chosen.usage_source
        others = [own for own in each if own is not chosen]
        used = [own.usage for own in others if own.usage is not None]
        spent.others_nanousd = sum(own.cost_nanousd for own in others) + chosen.others_nanousd
        given_up = [own.others_tokens for own in each]
        spent.others_tokens = (
            sum(one.input_tokens for one in used) + sum(tokens for tokens, _ in given_up),
            sum(one.output_tokens for one in used) + sum(tokens for _, tokens in given_up),
        )
