"""What an admin asks for: a new key's limits and rights, as JSON."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Annotated, TypeVar

import msgspec

from backends.price import nano
from backends.route import Residency
from gateway.keys.key import Allowance, Budget, VirtualKey
from gateway.problem import Problem

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+:/-]{0,47}")
_MOST_USD = 1_000_000
MOST_AT_ONCE = 10_000

_Order = TypeVar("_Order", "KeyOrder", "BatchOrder")
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]


class BudgetOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    usd: Decimal
    hard: bool = True


class KeyOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``expires_at`` is Unix seconds. Everything but ``owner`` may be left out."""

    owner: str
    team: str | None = None
    customer: str | None = None
    routes: frozenset[str] | None = None
    policies: frozenset[str] | None = None
    residency: Residency | None = None
    expires_at: float | None = None
    rpm: Count | None = None
    tpm: Count | None = None
    parallel: Count | None = None
    day: BudgetOrder | None = None
    month: BudgetOrder | None = None

    @classmethod
    def read(cls, body: bytes) -> "KeyOrder":
        """Raises ``Problem`` 400."""
        order = _decoded(body, cls)
        order.check()
        return order

    def check(self) -> None:
        """Raises ``Problem`` 400."""
        for field in ("owner", "team", "customer"):
            name = getattr(self, field)
            if name is not None and not _NAME.fullmatch(name):
                message = f"{field}: use at most 48 letters, digits, blanks and . _ @ + : / -, a letter or digit first"
                raise Problem(400, "invalid_key", message, param=field)
        if self.expires_at is not None and not math.isfinite(self.expires_at):
            raise Problem(400, "invalid_key", "expires_at is no time", param="expires_at")

    def key(self, key_id: str, digest: str, now: float) -> VirtualKey:
        """Raises ``Problem`` 400."""
        allowance = Allowance(self.rpm, self.tpm, self.parallel, _budget(self.day), _budget(self.month))
        return VirtualKey(
            id=key_id,
            hash=digest,
            owner=self.owner,
            created_at=now,
            changed_at=now,
            team=self.team,
            customer=self.customer,
            routes=self.routes,
            policies=self.policies,
            residency=self.residency,
            expires_at=self.expires_at,
            allowance=allowance,
        )


class BatchOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them are made, or none."""

    keys: Annotated[list[KeyOrder], msgspec.Meta(min_length=1, max_length=MOST_AT_ONCE)]

    @classmethod
    def read(cls, body: bytes) -> "BatchOrder":
        """Raises ``Problem`` 400, which says which one is wrong, the first being 1."""
        batch = _decoded(body, cls)
        for number, order in enumerate(batch.keys, 1):
            with of_number(number):
                order.check()
        return batch


@contextmanager
def of_number(number: int) -> Iterator[None]:
    """A problem within says that it is this key's."""
    try:
        yield
    except Problem as problem:
        message = f"key {number}: {problem.message}"
        raise Problem(problem.status, problem.code, message, param=problem.param) from problem


def _decoded(body: bytes, kind: type[_Order]) -> _Order:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "invalid_key", f"no key was made: {error}") from error


def _budget(order: BudgetOrder | None) -> Budget | None:
    if order is None:
        return None
    if not order.usd.is_finite() or not 0 <= order.usd <= _MOST_USD:
        raise Problem(400, "invalid_key", f"a budget is between 0 and {_MOST_USD:,} USD", param="usd")
    return Budget(nano(order.usd), order.hard)
