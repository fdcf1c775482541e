"""What needs the store: passed on to the parent process, which alone has it open."""

import asyncio
import time
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from backends import http1
from backends.backend import BackendError
from backends.upstream_http import whole_body
from gateway.api.http import read_body
from gateway.limits import Limits
from gateway.pipeline.session import attributed
from gateway.problem import Problem
from gateway.processes.runtime import Runtime

_TIMEOUT_S = 30.0
_OPENING_S = 15.0
_LOOK_EVERY_S = 0.05
_MAX_ANSWER_BYTES = 256 * 1024 * 1024

_Session = Annotated[str, Query(min_length=1, max_length=1024)]
_Limit = Annotated[int, Query(ge=1, le=1000)]


class ControlClient:
    """Speaks to the parent's control API over its Unix socket."""

    def __init__(self, runtime: Runtime) -> None:
        self._client = http1.Client(connect_s=_TIMEOUT_S, unix_socket=str(runtime.control_socket))

    async def forward(self, method: str, path: str, body: bytes = b"") -> Response:
        """The parent's own answer. Raises ``Problem`` 503 when it does not give one."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                answer = await self._request(method, path, body)
                try:
                    content = await whole_body(answer.read, _MAX_ANSWER_BYTES)
                finally:
                    answer.close()
        except (OSError, TimeoutError, BackendError) as error:
            message = "the gateway's store does not answer; requests are served and recorded all the same"
            raise Problem(503, "store_unavailable", message, retry_after=2) from error
        retry = {"retry-after": after} if (after := answer.headers.get("retry-after")) is not None else None
        return Response(content, answer.status, retry, media_type=answer.headers.get("content-type"))

    async def _request(self, method: str, path: str, body: bytes) -> http1.Response:
        """A gateway that has just begun to serve may still be opening its store."""
        until = time.monotonic() + _OPENING_S
        while True:
            try:
                return await self._client.request(method, "http://control", path, {}, body)
            except http1.ConnectFailed:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(_LOOK_EVERY_S)

    async def close(self) -> None:
        await self._client.close()


def control_api(control: ControlClient, limits: Limits) -> APIRouter:
    api = APIRouter()

    @api.post("/v1/scorecards")
    async def add_scorecards(request: Request) -> Response:
        body = await read_body(request.scope, request.receive, limits.max_body_bytes, limits.receive_s)
        return await control.forward("POST", "/v1/scorecards", body)

    @api.get("/v1/scorecards")
    async def list_scorecards() -> Response:
        return await control.forward("GET", "/v1/scorecards")

    @api.post("/v1/feedback")
    async def add_feedback(request: Request) -> Response:
        body = await read_body(request.scope, request.receive, limits.max_body_bytes, limits.receive_s)
        return await control.forward("POST", f"/v1/feedback?{urlencode(of_tenant(request))}", body)

    @api.get("/v1/feedback")
    async def online_scorecards(request: Request) -> Response:
        return await control.forward("GET", f"/v1/feedback?{urlencode(of_tenant(request))}")

    @api.get("/v1/requests")
    async def list_requests(request: Request, session: _Session, limit: _Limit = 100) -> Response:
        asked = urlencode({"session": attributed(session), "limit": limit, **of_tenant(request)})
        return await control.forward("GET", f"/v1/requests?{asked}")

    @api.get("/v1/requests/{request_id}")
    async def get_request(request: Request, request_id: str) -> Response:
        if not request_id.isalnum() or len(request_id) > 64:
            raise Problem(404, "unknown_request", "no request with this id is recorded")
        return await control.forward("GET", f"/v1/requests/{request_id}?{urlencode(of_tenant(request))}")

    return api


def of_tenant(request: Request) -> dict[str, str]:
    """A virtual key sees its tenant's requests, and verdicts on them, and no others."""
    return {"tenant": request.scope["weighbridge.tenant"]} if request.scope["weighbridge.key"] is not None else {}
