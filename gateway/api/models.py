"""``GET /v1/models``: everything that ``model`` may be, in OpenAI's shape; our own facts under ``weighbridge``."""

from typing import Any

from fastapi import APIRouter

from backends.route import Route
from gateway.problem import Problem
from gateway.router import Router


def models_api(router: Router, started_at: int) -> APIRouter:
    """``started_at``: Unix seconds, given as each model's ``created``."""
    api = APIRouter()

    @api.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        return {"object": "list", "data": [_entry(router, name, started_at) for name in router.names()]}

    @api.get("/v1/models/{name:path}")
    async def get_model(name: str) -> dict[str, Any]:
        if name not in router.names():
            raise Problem(404, "model_not_found", f"The model {name[:100]!r} does not exist", param="model")
        return _entry(router, name, started_at)

    return api


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
