"""What `weighbridge watch` asks a gateway: which routes are to be weighed at which gates, and whether one is busy.

``/v1/admissions`` takes what it decided, and lists the audit.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from backends.backend import BackendError
from backends.route import Route
from gateway.api.control import ControlClient
from gateway.api.http import read_body
from gateway.fleet.fleet import Fleet
from gateway.limits import Limits
from gateway.problem import Problem
from gateway.routing.router import Router
from policies.canary import bar_of
from policies.kinds import Canary
from policies.requirements import PassAt1
from policies.scorecard import Evidence

_LOOK_S = 2.0
_Rows = Annotated[int, Query(ge=1, le=10_000)]


def watch_api(router: Router, control: ControlClient, limits: Limits) -> APIRouter:
    api = APIRouter()

    @api.get("/v1/watch")
    async def what_to_watch() -> dict[str, Any]:
        return {"gates": list(_gates(router)), "admissions": [asdict(row) for row in router.evidence.watched]}

    @api.get("/v1/watch/waiting")
    async def waiting(route: str) -> dict[str, Any]:
        if (found := router.fleet.routes.get(route)) is None:
            raise Problem(404, "route_not_found", f"there is no route {route[:100]!r}", param="route")
        return {"route": route, "waiting": await _waiting(router.fleet, found)}

    @api.post("/v1/admissions")
    async def add_admissions(request: Request) -> Response:
        body = await read_body(request.scope, request.receive, limits.max_body_bytes, limits.receive_s)
        return await control.forward("POST", "/v1/admissions", body)

    @api.get("/v1/admissions")
    async def history(limit: _Rows = 100) -> Response:
        return await control.forward("GET", f"/v1/admissions?limit={limit}")

    return api


def _gates(router: Router) -> Iterator[dict[str, Any]]:
    """Every serving route at every gate of the policies that may use it and go by what was measured."""
    evidence, fleet = router.evidence, router.fleet
    for policy in router.policies.values():
        if policy.evidence != "measured":
            continue
        gates = [each for each in policy.requirements if isinstance(each, PassAt1)]
        for route in fleet.routes.values():
            facts = (each.judge(route, evidence).kept for each in policy.requirements if each.hard)
            if route.name in fleet.available and all(facts):
                yield from (_gate(route, each.suite, each.language, each.at_least, each.confidence) for each in gates)
        if isinstance(policy.kind, Canary) and policy.kind.candidate in fleet.available:
            yield from _canarys_gate(policy.kind, fleet.routes, evidence)


def _canarys_gate(canary: Canary, routes: Mapping[str, Route], evidence: Evidence) -> Iterator[dict[str, Any]]:
    """Its share grows by what its candidate is shown to keep; without a bar there is nothing to show."""
    bar, _ = bar_of(canary, routes[canary.stable], evidence)
    if bar is not None and 0 < bar < 1:
        yield _gate(routes[canary.candidate], canary.suite, canary.language, bar, canary.confidence)


def _gate(route: Route, suite: str, language: str | None, at_least: float, confidence: float) -> dict[str, Any]:
    return {
        "route": route.name,
        "revision": route.revision.id,
        "suite": suite,
        "language": language,
        "at_least": at_least,
        "confidence": confidence,
    }


async def _waiting(fleet: Fleet, route: Route) -> int | None:
    """Requests that wait at its servers, as these say now; None where they do not say."""
    backend = fleet.backend(route)
    try:
        async with asyncio.timeout(_LOOK_S):
            loads = await asyncio.gather(*(backend.load(route, url) for url in route.replicas))
    except (TimeoutError, BackendError):
        return None
    told = [load.waiting for load in loads if load is not None]
    return sum(told) if told else None
