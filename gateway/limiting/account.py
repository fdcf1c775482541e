"""Whom a request is charged to: its key, and the team and the customer that the key is of."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.keys.key import Allowance, VirtualKey

_PREFIX = "weighbridge:limits:"
LEDGERS = f"{_PREFIX}ledgers"
EPOCH = f"{_PREFIX}epoch"
LEASES = f"{_PREFIX}leases"
"""Accounts that something is held of, by when the first of it may lapse."""
LOOKED = f"{_PREFIX}looked"


def of_key(name: str) -> str:
    return f"key:{name}"


def of_team(name: str) -> str:
    return f"team:{name}"


def of_customer(name: str) -> str:
    return f"customer:{name}"


def names_of(key_id: str, team: str | None, customer: str | None) -> list[str]:
    """All accounts that a request of this key may be charged to."""
    names = [of_key(key_id)]
    names += [of_team(team)] if team is not None else []
    return names + ([of_customer(customer)] if customer is not None else [])


def hash_key(account: str) -> str:
    """Where Valkey has its meters, money and holds."""
    return f"{_PREFIX}of:{account}"


def holds_key(account: str) -> str:
    """Where Valkey has the ids of its requests under way, by when they lapse."""
    return f"{_PREFIX}holds:{account}"


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    allowance: Allowance

    @property
    def has_budget(self) -> bool:
        return self.allowance.day is not None or self.allowance.month is not None

    @property
    def has_hard_budget(self) -> bool:
        return any(budget is not None and budget.hard for budget in (self.allowance.day, self.allowance.month))


@dataclass(frozen=True, slots=True)
class Shared:
    """What the keys of a team, or of a customer, may use together."""

    teams: Mapping[str, Allowance]
    customers: Mapping[str, Allowance]

    def accounts(self, key: VirtualKey) -> tuple[Account, ...]:
        """Those that have limits, the key's own first; none where nothing limits it."""
        found = [Account(of_key(key.id), key.allowance)]
        if key.team is not None and (team := self.teams.get(key.team)) is not None:
            found.append(Account(of_team(key.team), team))
        if key.customer is not None and (customer := self.customers.get(key.customer)) is not None:
            found.append(Account(of_customer(key.customer), customer))
        return tuple(account for account in found if account.allowance.limited)
