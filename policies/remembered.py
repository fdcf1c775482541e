"""Values of pure functions that are dear to compute: remembered, and told to other processes, which need not do so."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import ParamSpec

import msgspec

MOST = 20_000

_Arguments = ParamSpec("_Arguments")
_key = msgspec.json.Encoder(enc_hook=float).encode
_known: dict[str, float] = {}
"""By function and arguments, as JSON. The one that was asked for last is the last."""


def remembered(compute: Callable[_Arguments, float]) -> Callable[_Arguments, float]:
    """Of arguments that are numbers, or sequences of such."""

    @wraps(compute)
    def known(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> float:
        key = _key((compute.__name__, args, kwargs)).decode()
        value = _known.pop(key, None)
        if value is None:
            value = compute(*args, **kwargs)
        _known[key] = value
        _bound()
        return value

    return known


def last(count: int) -> Mapping[str, float]:
    """The values that were asked for last."""
    return dict(list(_known.items())[-count:]) if count else {}


def learn(told: Mapping[str, float]) -> None:
    """What :func:`last` said in another process; it is believed."""
    _known.update(told)
    _bound()


def _bound() -> None:
    while len(_known) > MOST:
        _known.pop(next(iter(_known)), None)
