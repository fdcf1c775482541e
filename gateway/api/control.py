"""What needs the store: passed on to the parent process, which alone has it open."""

import aiohttp
from fastapi import APIRouter, Request, Response

from gateway.api.http import read_body
from gateway.limits import Limits
from gateway.problem import Problem
from gateway.runtime import Runtime

_TIMEOUT = aiohttp.ClientTimeout(total=30)


class ControlClient:
    """Speaks to the parent's control API over its Unix socket."""

    def __init__(self, runtime: Runtime) -> None:
        self._path = str(runtime.control_socket)
        self._session: aiohttp.ClientSession | None = None

    async def forward(self, method: str, path: str, body: bytes | None = None) -> Response:
        """The parent's own answer. Raises ``Problem`` 503 when it does not give one."""
        if self._session is None:  # it belongs to the running event loop
            connector = aiohttp.UnixConnector(self._path)
            self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT)
        try:
            async with self._session.request(method, f"http://control{path}", data=body) as answer:
                content = await answer.read()
                return Response(content, answer.status, media_type=answer.content_type)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            message = "the gateway's store does not answer; requests are served and recorded all the same"
            raise Problem(503, "store_unavailable", message, retry_after=2) from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def control_api(control: ControlClient, limits: Limits) -> APIRouter:
    api = APIRouter()

    @api.post("/v1/scorecards")
    async def add_scorecards(request: Request) -> Response:
        body = await read_body(request.scope, request.receive, limits.max_body_bytes, limits.receive_s)
        return await control.forward("POST", "/v1/scorecards", body)

    @api.get("/v1/scorecards")
    async def list_scorecards() -> Response:
        return await control.forward("GET", "/v1/scorecards")

    @api.get("/v1/requests/{request_id}")
    async def get_request(request_id: str) -> Response:
        if not request_id.isalnum() or len(request_id) > 64:
            raise Problem(404, "unknown_request", "no request with this id is recorded")
        return await control.forward("GET", f"/v1/requests/{request_id}")

    return api
