"""``/v1/policies/{name:path}/explain``: every route, kept or dropped, and why, for a request of these traits.

GET; or POST with a ``prompt``, for policies that go by it: a prompt has no place in an address.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query

from backends.route import Capability
from gateway.problem import Problem
from gateway.routing.opening import prompt_of_text
from gateway.routing.router import Router
from policies.budget import supposed
from policies.languages import canonical
from policies.request import RequestTraits

_Tokens = Annotated[int, Query(ge=0, le=1_000_000_000)]
_Share = Annotated[float, Query(ge=0, le=1)]
_Dollars = Annotated[float, Query(ge=0, le=1_000_000)]
_Needs = Annotated[tuple[Capability, ...], Query()]


@dataclass(frozen=True, slots=True)
class _Asked:
    traits: RequestTraits
    session: str | None
    previous: str | None


def _asked(
    language: str | None = None,
    input_tokens: _Tokens = 0,
    max_tokens: _Tokens | None = None,
    needs: _Needs = (),
    session: str | None = None,
    previous: str | None = None,
    budget_left: _Share | None = None,
    budget_left_usd: _Dollars | None = None,
) -> _Asked:
    spoken = canonical(language) if language else None
    budget = supposed(budget_left, budget_left_usd)
    return _Asked(RequestTraits(input_tokens, max_tokens, spoken, frozenset(needs), budget=budget), session, previous)


def policies_api(router: Router) -> APIRouter:
    api = APIRouter()

    @api.get("/v1/policies/{name:path}/explain")
    async def explain(name: str, asked: Annotated[_Asked, Depends(_asked)]) -> dict[str, Any]:
        return _explained(router, name, asked)

    @api.post("/v1/policies/{name:path}/explain")
    async def explain_prompt(
        name: str, asked: Annotated[_Asked, Depends(_asked)], prompt: Annotated[str, Body(embed=True)]
    ) -> dict[str, Any]:
        traits = replace(asked.traits, prompt=prompt_of_text(prompt, asked.traits))
        return _explained(router, name, replace(asked, traits=traits))

    return api


def _explained(router: Router, name: str, asked: _Asked) -> dict[str, Any]:
    target = router.aliases.get(name, name)
    if target not in router.policies:
        known = ", ".join(router.policies) or "none"
        raise Problem(404, "policy_not_found", f"There is no policy {name[:100]!r}. Policies: {known}")
    traits = asked.traits
    if asked.session is not None:
        traits = router.in_session(target, traits, asked.session)
    if asked.previous is not None:
        traits = replace(traits, previous=asked.previous)
    return router.explain(target, traits)
