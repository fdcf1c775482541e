"""``GET`` and ``DELETE /v1/responses/{id}``, ``POST /v1/responses/{id}/cancel``: responses that a model server keeps.

Every server that may have a response is asked, all at the same time; a virtual key is told of its tenant's only.
"""

import asyncio
import re

from fastapi import APIRouter, HTTPException, Request, Response

from backends.backend import BackendError, Method, Stored
from gateway.fleet.fleet import Fleet
from gateway.keys.tenants import unknown_response
from gateway.problem import Problem

_ID = re.compile(r"[A-Za-z0-9_=-]{1,256}")
_WITHIN_S = 10.0


def stored_responses_api(fleet: Fleet) -> APIRouter:
    api = APIRouter()

    @api.get("/v1/responses/{response_id}")
    async def get_response(request: Request, response_id: str) -> Response:
        if request.query_params.get("stream") == "true":
            raise Problem(400, "stream_not_supported", "A stored response comes as a whole here.", param="stream")
        return await _ask(fleet, request, "GET", response_id)

    @api.delete("/v1/responses/{response_id}")
    async def delete_response(request: Request, response_id: str) -> Response:
        return await _ask(fleet, request, "DELETE", response_id)

    @api.post("/v1/responses/{action}")
    async def no_such_action(action: str) -> Response:
        """Not 405, which the paths above would make of it: clients go by 404 for what a server does not have."""
        raise HTTPException(404)

    @api.post("/v1/responses/{response_id}/cancel")
    async def cancel_response(request: Request, response_id: str) -> Response:
        return await _ask(fleet, request, "POST", response_id, "/cancel")

    return api


async def _ask(fleet: Fleet, request: Request, method: Method, response_id: str, action: str = "") -> Response:
    """What the server says that has it. Raises ``Problem`` 404 when none does, 503 when one that might did not say."""
    tenant, key = request.scope["weighbridge.apart"], request.scope["weighbridge.key"]
    if not _ID.fullmatch(response_id) or (tenant is not None and not tenant.owns(response_id)):
        raise unknown_response(response_id, "response_id")
    places = {  # one server may stand behind several routes
        replica.url: name for name, replica in fleet.health() if key is None or key.may_be_served_by(fleet.routes[name])
    }
    path = f"/v1/responses/{response_id}{action}"
    said = await asyncio.gather(*(_one(fleet, name, url, method, path) for url, name in places.items()))
    found = next((answer for answer in said if isinstance(answer, Stored)), None)
    if found is not None:
        return Response(found.body, found.status, media_type=found.content_type)
    if any(isinstance(answer, BackendError) for answer in said):
        message = "A model server that may have this response does not answer. Try again shortly."
        raise Problem(503, "upstream_unreachable", message, retry_after=2)
    raise unknown_response(response_id, "response_id")


async def _one(fleet: Fleet, name: str, url: str, method: Method, path: str) -> Stored | BackendError | None:
    route = fleet.routes[name]
    try:
        async with asyncio.timeout(_WITHIN_S):
            return await fleet.backend(route).stored(route, url, method, path)
    except TimeoutError:
        return BackendError("timeout", f"no answer from {name} within {_WITHIN_S:g} s")
    except BackendError as error:
        return error
