"""``GET /v1/policies/{name:path}/explain``: every route, kept or dropped, and why, for a request of these traits."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query

from backends.route import Capability
from gateway.problem import Problem
from gateway.routing.router import Router
from policies.languages import canonical
from policies.request import RequestTraits

_Tokens = Annotated[int, Query(ge=0, le=1_000_000_000)]
_Needs = Annotated[tuple[Capability, ...], Query()]


def policies_api(router: Router) -> APIRouter:
    api = APIRouter()

    @api.get("/v1/policies/{name:path}/explain")
    async def explain(
        name: str,
        language: str | None = None,
        input_tokens: _Tokens = 0,
        max_tokens: _Tokens | None = None,
        needs: _Needs = (),
        session: str | None = None,
        previous: str | None = None,
    ) -> dict[str, Any]:
        target = router.aliases.get(name, name)
        if target not in router.policies:
            known = ", ".join(router.policies) or "none"
            raise Problem(404, "policy_not_found", f"There is no policy {name[:100]!r}. Policies: {known}")
        spoken = canonical(language) if language else None
        traits = RequestTraits(input_tokens, max_tokens, spoken, frozenset(needs))
        if session is not None:
            traits = router.in_session(target, traits, session)
        if previous is not None:
            traits = replace(traits, previous=previous)
        return router.explain(target, traits)

    return api
