"""One request's row in the ledger, shown to its observer too: opened before dispatch, settled exactly once."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from backends.backend import Call
from backends.route import Route
from backends.usage import Usage, UsageSource
from gateway.keys.key import VirtualKey
from gateway.ledger.events import AttemptDetail, Opened, Settled
from gateway.ledger.spool import Spool, SpoolFull
from gateway.limiting.hold import Hold
from gateway.problem import Problem
from gateway.telemetry.observer import Observation


def new_request_id() -> str:
    """Sorts by time: twelve hexadecimal digits of milliseconds, then twenty random ones."""
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


def _unchanged(call: Call, _: Route) -> Call:
    return call


@dataclass(slots=True)
class Spent:
    """What a request has cost so far; a flight fills it in as it goes.

    ``onward`` gives the call that an attempt at a route is to send.
    """

    route: Route | None = None
    usage: Usage | None = None
    usage_source: UsageSource = "unknown"
    ttft_ms: float | None = None
    attempts: list[AttemptDetail] = field(default_factory=list)
    others_nanousd: int = 0
    """What answers have cost that did not go out."""
    others_tokens: tuple[int, int] = (0, 0)
    """In and out, of these answers."""
    saved_nanousd: int = 0
    """What an answer had cost that need not be paid again."""
    onward: Callable[[Call, Route], Call] = _unchanged
    most_content: Callable[[Route, int], int | None] | None = None
    """See ``Hold.most_content``."""
    cut_at: int | None = None
    """The pieces of content after which the answer is cut."""

    @property
    def cost_nanousd(self) -> int:
        return self.last_nanousd + self.others_nanousd

    @property
    def last_nanousd(self) -> int:
        """Of the last attempt alone."""
        return self.route.price.cost(self.usage) if self.route is not None and self.usage is not None else 0

    def set_aside(self) -> None:
        """What an attempt has used that nothing came of: another one follows."""
        if self.usage is not None:
            self.add(self.last_nanousd, self.usage)
            self.usage, self.usage_source = None, "unknown"

    def add(self, nanousd: int, usage: Usage) -> None:
        """What an answer has cost that did not go out."""
        tokens_in, tokens_out = self.others_tokens
        self.others_nanousd += nanousd
        self.others_tokens = tokens_in + usage.input_tokens, tokens_out + usage.output_tokens


def complete_usage(spent: Spent, input_tokens: int) -> None:
    """A count that we made ourselves knows only what came out: what went in is the estimate that was decided on."""
    if spent.usage_source == "estimated" and spent.usage is not None:
        output = spent.usage.output_tokens if spent.cut_at is None else min(spent.usage.output_tokens, spent.cut_at)
        spent.usage = replace(spent.usage, input_tokens=input_tokens, output_tokens=output)


class Account:
    """Raises ``Problem`` 503 from ``open`` when the ledger takes no more: nothing is dispatched unrecorded."""

    def __init__(
        self,
        spool: Spool,
        observation: Observation,
        *,
        request_id: str,
        tenant: str,
        asked: str,
        policy: str,
        wire: str,
        session: str | None = None,
        language: str | None = None,
        key: VirtualKey | None = None,
    ) -> None:
        """``session`` and ``language`` as the ledger may have them: see ``Settled``."""
        self._spool = spool
        self._tenant = tenant
        self._asked = asked[:200]
        self.wire = wire
        self._session = session
        self._language = language
        self._whose = (None, None, None) if key is None else (key.id, key.team, key.customer)
        self._opened = self._settled = False
        self._started = time.perf_counter()
        self.hold: Hold | None = None
        """What is reserved for it, where its key is limited."""
        self.observation = observation
        self.policy = policy
        self.id = request_id

    @property
    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self._started) * 1000

    def open(self) -> None:
        """Does nothing the second time."""
        if self._opened:
            return
        reserved = self.hold.reserved_nanousd if self.hold is not None else None
        whose = (self._session, *self._whose, reserved)
        opened = Opened(self.id, time.time(), self._tenant, self._asked, self.policy, self.wire, *whose)
        try:
            self._spool.append(opened)
        except SpoolFull as full:
            if self.hold is not None:
                self.hold.release()
            message = "the gateway cannot record requests at the moment, so it serves none; try again later"
            raise Problem(503, "ledger_unavailable", message, retry_after=5) from full
        self._opened = True
        self.observation.opened()

    def settle(self, spent: Spent, *, outcome: str, status: int, cache: str, streamed: bool) -> None:
        """Does nothing the second time."""
        if self._settled:
            return
        self._settled = True
        usage = spent.usage or Usage()
        key_id, team, customer = self._whose
        row = Settled(
            id=self.id,
            at=time.time(),
            tenant=self._tenant,
            asked=self._asked,
            policy=self.policy,
            wire=self.wire,
            route=spent.route.name if spent.route else "",
            revision=spent.route.revision.id if spent.route else "",
            outcome=outcome,
            status=status,
            cache=cache,
            streamed=streamed,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_input_tokens=usage.cached_input_tokens,
            usage_source=spent.usage_source,
            cost_nanousd=spent.cost_nanousd,
            ttft_ms=spent.ttft_ms,
            total_ms=self.elapsed_ms,
            attempts=spent.attempts,
            cache_write_tokens=usage.cache_write_tokens,
            cache_write_1h_tokens=usage.cache_write_1h_tokens,
            session=self._session,
            language=self._language,
            key_id=key_id,
            team=team,
            customer=customer,
            model=spent.route.model[:200] if spent.route else "",
            saved_nanousd=spent.saved_nanousd,
        )
        self.observation.settled(row)
        self._spool.append(row, owed=True)
        if self.hold is not None:
            answered = outcome == "ok" and spent.usage is not None
            others_in, others_out = spent.others_tokens
            tokens = usage.input_tokens + others_in, usage.output_tokens + others_out
            self.hold.settle(row.cost_nanousd, *tokens, answered=answered)
