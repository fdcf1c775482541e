"""The section `keys`: the admin API's key, the secret of what is stored, and what teams and customers share."""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BeforeValidator, Field

from backends.price import nano
from gateway.config.section import Secret, Section, Text, Usd
from gateway.keys.key import Allowance, Budget
from gateway.limiting.account import Shared

_MOST = 1_000_000_000


def _long_form(value: object) -> object:
    return value if isinstance(value, dict) else {"usd": value}


class BudgetSection(Section):
    usd: Usd = Field(examples=["5000"])
    hard: bool = Field(default=True, examples=["false"])


_Budget = Annotated[BudgetSection, BeforeValidator(_long_form)]


class AllowanceSection(Section):
    rpm: int | None = Field(default=None, ge=1, le=_MOST, examples=["600"])
    tpm: int | None = Field(default=None, ge=1, le=_MOST, examples=["1000000"])
    parallel: int | None = Field(default=None, ge=1, le=_MOST, examples=["50"])
    day: _Budget | None = Field(default=None, examples=["200"])
    month: _Budget | None = Field(default=None, examples=["{usd: 5000, hard: false}"])


class KeysSection(Section):
    admin_key: Secret = Field(examples=["${WEIGHBRIDGE_ADMIN_KEY}"])
    secret: Secret = Field(examples=["${WEIGHBRIDGE_KEY_SECRET}"])
    teams: dict[Text, AllowanceSection] = Field(default_factory=dict, examples=["{developers: {month: 5000}}"])
    customers: dict[Text, AllowanceSection] = Field(default_factory=dict, examples=["{acme: {month: 100}}"])


@dataclass(frozen=True, slots=True)
class KeySettings:
    """``secret`` is what stored hashes of virtual keys are keyed with; the same on all replicas."""

    admin_key: str = field(repr=False)
    secret: str = field(repr=False)
    shared: Shared


def key_settings(section: KeysSection | None) -> KeySettings | None:
    if section is None:
        return None
    shared = Shared(
        *({name: _allowance(part) for name, part in of.items()} for of in (section.teams, section.customers))
    )
    return KeySettings(section.admin_key.get_secret_value(), section.secret.get_secret_value(), shared)


def _allowance(section: AllowanceSection) -> Allowance:
    return Allowance(section.rpm, section.tpm, section.parallel, _budget(section.day), _budget(section.month))


def _budget(section: BudgetSection | None) -> Budget | None:
    return Budget(nano(section.usd), section.hard) if section is not None else None
