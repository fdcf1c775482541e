"""What the evidence proves of each route, as metrics: bounds of pass@1, by suite and language.

Written as text here, and a few at a time: prometheus-client takes 18 ms for a thousand scorecards, in which a worker
would serve nobody.
"""

import asyncio
from collections.abc import Iterator

from gateway.routing.router import Router
from policies.correctness import Correctness
from policies.scorecard import Scorecard

CONFIDENCE = 0.95

_AT_A_TIME = 100
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


async def evidence_bounds(router: Router) -> bytes:
    """In Prometheus' format. Partial scorecards and published ones are left out. Bounds are one-sided each: the lower
    one is what a gate at 95% goes by.
    """
    mean, lower, upper = [], [], []
    for number, card in enumerate(list(_cards(router)), 1):
        if number % _AT_A_TIME == 0:
            await asyncio.sleep(0)
        place, measured = _place(card), Correctness.of(card)
        mean.append(f"weighbridge_pass_at_1{place} {float(card.pass_at_1 or 0)!r}\n")
        lower.append(f"weighbridge_pass_at_1_lower{place} {float(measured.lower(CONFIDENCE))!r}\n")
        upper.append(f"weighbridge_pass_at_1_upper{place} {float(measured.upper(CONFIDENCE))!r}\n")
    families = (
        *_head("weighbridge_pass_at_1", "Mean pass@1 at the route's revision"),
        *mean,
        *_head("weighbridge_pass_at_1_lower", "What pass@1 is at least, with 95% confidence"),
        *lower,
        *_head("weighbridge_pass_at_1_upper", "What pass@1 is at most, with 95% confidence"),
        *upper,
    )
    return "".join(families).encode()


def _cards(router: Router) -> Iterator[Scorecard]:
    for route in router.fleet.routes.values():
        for card in router.evidence.of_revision(route.name, route.revision.id):
            if card.pass_at_1 is not None and not card.partial:
                yield card


def _head(name: str, about: str) -> tuple[str, str]:
    return f"# HELP {name} {about}\n", f"# TYPE {name} gauge\n"


def _place(card: Scorecard) -> str:
    language, route, suite = (text.translate(_ESCAPES) for text in (card.language, card.route, card.suite))
    return f'{{language="{language}",route="{route}",suite="{suite}"}}'
