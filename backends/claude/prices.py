"""What LiteLLM's price map says about Claude models, read from its file: importing LiteLLM takes seconds.

The map's prices are USD a token. Ours are made from the numbers as they are written there, so that none is rounded.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from backends.price import Price, nano

_FILE = "model_prices_and_context_window_backup.json"
_LONG = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class ClaudeFacts:
    """Lengths are in tokens."""

    price: Price
    context_window: int | None
    max_output_tokens: int | None


def litellm_folder() -> Path | None:
    """Where LiteLLM is installed; None without the extra ``claude``."""
    spec = find_spec("litellm")
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


@cache
def known_models() -> Mapping[str, ClaudeFacts]:
    """Anthropic's models in the installed LiteLLM's map, by id; none where it is not installed."""
    folder = litellm_folder()
    if folder is None:
        return {}
    entries = msgspec.json.decode((folder / _FILE).read_bytes(), type=dict[str, msgspec.Raw])
    claude = {name: msgspec.json.decode(raw) for name, raw in entries.items() if b'"anthropic"' in bytes(raw)}
    return {name: _facts(entry) for name, entry in claude.items() if entry.get("litellm_provider") == "anthropic"}


def _facts(entry: Mapping[str, Any]) -> ClaudeFacts:
    price = _price(entry, "")
    for key in entry:
        if (found := _LONG.fullmatch(key)) is not None:
            price = replace(price, long_from=int(found[1]) * 1000, long=_price(entry, f"_above_{found[1]}k_tokens"))
    return ClaudeFacts(price, entry.get("max_input_tokens"), entry.get("max_output_tokens"))


def _price(entry: Mapping[str, Any], suffix: str) -> Price:
    def per_million(key: str) -> int | None:
        usd = entry.get(key + suffix)
        return None if usd is None else nano(Decimal(str(usd)) * _MILLION)

    return Price(
        input=per_million("input_cost_per_token") or 0,
        output=per_million("output_cost_per_token") or 0,
        cached_input=per_million("cache_read_input_token_cost"),
        cache_write=per_million("cache_creation_input_token_cost"),
        cache_write_1h=per_million("cache_creation_input_token_cost_above_1hr"),
    )
