"""``GET /v1/policies/{name:path}/explain``: every route, kept or dropped, and why, for a request of these traits."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from gateway.problem import Problem
from gateway.router import Router
from policies.request import RequestTraits

_Tokens = Annotated[int, Query(ge=0, le=1_000_000_000)]


def policies_api(router: Router) -> APIRouter:
    api = APIRouter()

    @api.get("/v1/policies/{name:path}/explain")
    async def explain(
        name: str, language: str | None = None, input_tokens: _Tokens = 0, max_tokens: _Tokens | None = None
    ) -> dict[str, Any]:
        target = router.aliases.get(name, name)
        if target not in router.policies:
            known = ", ".join(router.policies) or "none"
            raise Problem(404, "policy_not_found", f"There is no policy {name[:100]!r}. Policies: {known}")
        traits = RequestTraits(input_tokens, max_tokens, language.lower() if language else None)
        return router.decide(target, traits).explain()

    return api
