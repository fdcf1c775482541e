"""A virtual key as the store, the workers and the other replicas know it: all but the key itself."""

from typing import Any

import msgspec

from backends.route import Residency, Route


class Budget(msgspec.Struct, frozen=True):
    """Nano-dollars a day or a month (UTC).

    ``hard`` is never overrun: the most that a request can cost is set aside before it is sent. A soft one goes by what
    the key's answers have lately come to, and may be overrun by what is under way.
    """

    nanousd: int
    hard: bool = True


class Allowance(msgspec.Struct, frozen=True, omit_defaults=True):
    """What may be used; None is no limit."""

    rpm: int | None = None
    """Requests a minute: so many at once, coming back evenly."""
    tpm: int | None = None
    """Tokens a minute, in and out."""
    parallel: int | None = None
    """Requests at the same time."""
    day: Budget | None = None
    month: Budget | None = None

    @property
    def limited(self) -> bool:
        return self != _UNLIMITED


_UNLIMITED = Allowance()


class VirtualKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """Times are Unix seconds. ``hash`` is ``gateway.keys.secret.KeyHash``'s."""

    id: str
    hash: str
    owner: str
    created_at: float
    changed_at: float
    team: str | None = None
    customer: str | None = None
    routes: frozenset[str] | None = None
    """Those that may serve it, by whatever name it asks; None: all."""
    policies: frozenset[str] | None = None
    """Those that it may ask for; None: all."""
    residency: Residency | None = None
    """``self_hosted``: nothing that it sends leaves the house."""
    expires_at: float | None = None
    allowance: Allowance = _UNLIMITED
    revoked_at: float | None = None
    old_hash: str | None = None
    """The key's before it was rotated; it is good until ``old_until``."""
    old_until: float = 0.0

    @property
    def tenant(self) -> str:
        """Who shares answers in the cache: a customer's keys, or a team's; else the key alone."""
        if self.customer is not None:
            return f"customer:{self.customer}"
        return f"team:{self.team}" if self.team is not None else f"key:{self.id}"

    def may_be_served_by(self, route: Route) -> bool:
        if self.residency == "self_hosted" and route.residency != "self_hosted":
            return False
        return self.routes is None or route.name in self.routes

    def may_name_route(self, route: Route) -> bool:
        """A key that was given policies only asks for those."""
        return (self.routes is not None or self.policies is None) and self.may_be_served_by(route)

    def may_name_policy(self, policy: str) -> bool:
        return self.policies is None or policy in self.policies


def merged(known: VirtualKey, told: VirtualKey) -> VirtualKey:
    """The same on every replica, in whatever order they hear of changes: the newest, but what is revoked stays so."""
    newest = max(known, told, key=lambda key: (key.changed_at, key.hash))
    revocations = [key.revoked_at for key in (known, told) if key.revoked_at is not None]
    return msgspec.structs.replace(newest, revoked_at=min(revocations, default=None))


def shown(key: VirtualKey) -> dict[str, Any]:
    """For whoever may list keys; hashes are nobody's business."""
    fields = msgspec.structs.asdict(key)
    del fields["hash"], fields["old_hash"]
    return {**fields, "allowance": msgspec.structs.asdict(key.allowance)}
