"""``GET /v1/models``: everything that ``model`` may be, in OpenAI's shape, or in Anthropic's for a client that sends
``anthropic-version``; our own facts under ``weighbridge``.
"""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request

from backends.route import Route
from gateway.problem import Problem
from gateway.routing.router import Router


def models_api(router: Router, started_at: int) -> APIRouter:
    """``started_at``: Unix seconds, given as each model's ``created``."""
    api = APIRouter()

    @api.get("/v1/models")
    async def list_models(request: Request) -> dict[str, Any]:
        """All of them on one page, whatever ``limit`` and cursors say."""
        names = router.names(request.scope["weighbridge.key"])
        if _is_anthropics(request):
            data = [_anthropic_entry(router, name, started_at) for name in names]
            first, last = (names[0], names[-1]) if names else (None, None)
            return {"data": data, "has_more": False, "first_id": first, "last_id": last}
        return {"object": "list", "data": [_entry(router, name, started_at) for name in names]}

    @api.get("/v1/models/{name:path}")
    async def get_model(request: Request, name: str) -> dict[str, Any]:
        if name not in router.names(request.scope["weighbridge.key"]):
            raise Problem(404, "model_not_found", f"The model {name[:100]!r} does not exist", param="model")
        return (_anthropic_entry if _is_anthropics(request) else _entry)(router, name, started_at)

    return api


def _is_anthropics(request: Request) -> bool:
    return "anthropic-version" in request.headers


def _anthropic_entry(router: Router, name: str, started_at: int) -> dict[str, Any]:
    created = datetime.fromtimestamp(started_at, UTC).isoformat().replace("+00:00", "Z")
    facts = _entry(router, name, started_at)["weighbridge"]
    return {"type": "model", "id": name, "display_name": name, "created_at": created, "weighbridge": facts}


def _entry(router: Router, name: str, started_at: int) -> dict[str, Any]:
    head = {"id": name, "object": "model", "created": started_at, "owned_by": "weighbridge"}
    if (route := router.fleet.routes.get(name)) is not None:
        return {**head, "weighbridge": _route_facts(route, name in router.fleet.available)}
    if (policy := router.policies.get(name)) is not None:
        return {**head, "weighbridge": {"kind": "policy", "objective": policy.objective}}
    return {**head, "weighbridge": {"kind": "alias", "target": router.aliases[name]}}


def _route_facts(route: Route, healthy: bool) -> dict[str, Any]:
    price = {
        "input_nanousd_per_million": route.price.input,
        "output_nanousd_per_million": route.price.output,
        "cached_input_nanousd_per_million": route.price.cached_input,
        "cache_write_nanousd_per_million": route.price.cache_write,
        "cache_write_1h_nanousd_per_million": route.price.cache_write_1h,
    }
    return {
        "kind": "route",
        "model": route.model,
        "backend": route.backend,
        "revision": route.revision.id,
        "observed": dict(route.revision.observed),
        "healthy": healthy,
        "price": price,
        "licence": route.licence,
        "residency": route.residency,
        "open_weights": route.open_weights,
        "fine_tuning": route.fine_tuning,
        "context_window": route.context_window,
        "languages": sorted(route.languages) if route.languages is not None else None,
    }
