"""Policies that are shipped: rules of use that the first users wrote down, as sections of the file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

KINDS = ("weighted", "canary", "fallback")
"""The keys of a policy that pick routes otherwise than by an objective."""

PresetName = Literal["in-house-rust", "permissive-licence", "legacy-languages"]


@dataclass(frozen=True, slots=True)
class PolicyPreset:
    rule: str
    """In the words of those who use it."""
    settings: Mapping[str, Any]


PRESETS: Mapping[PresetName, PolicyPreset] = {
    "in-house-rust": PolicyPreset(
        "data must stay in-house, Rust must be supported, and $5,000 a month pay for 3 billion tokens",
        {
            "objective": "cheapest",
            "require": {
                "residency": "self_hosted",
                "languages": ["rust"],
                "cost": {"per_month_usd": "5000", "tokens_per_month": "3000000000"},
            },
        },
    ),
    "permissive-licence": PolicyPreset(
        "the licence must be permissive, Rust is not needed, and $0.10 a month pay for a customer's 40,000 tokens",
        {
            "objective": "cheapest",
            "require": {
                "licence": ["apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause"],
                "open_weights": "true",
                "cost": {"per_month_usd": "0.10", "tokens_per_month": "40000"},
            },
        },
    ),
    "legacy-languages": PolicyPreset(
        "COBOL and Fortran must be supported, with 200k tokens of context, and accuracy comes first",
        {
            "objective": "most_accurate",
            "evidence": "published",
            "require": {"languages": ["cobol", "fortran"], "context": "200000"},
        },
    ),
}


def with_preset(values: Mapping[str, Any]) -> dict[str, Any]:
    """The section with its preset's settings where it has none of its own; `require` is filled up key by key."""
    preset = PRESETS.get(values["preset"]) if isinstance(values.get("preset"), str) else None
    own = values.get("require")
    if preset is None or not isinstance(own, dict | None):
        return dict(values)
    require = {**preset.settings["require"], **_given(own or {})}
    settings = dict(preset.settings)
    if any(values.get(kind) is not None for kind in KINDS):
        del settings["objective"]
    return {**settings, **_given(values), "require": require}


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """A key without a value is a key not given."""
    return {key: value for key, value in values.items() if value is not None}
