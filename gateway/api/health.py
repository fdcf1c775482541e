"""Liveness, readiness, and the metrics of all workers."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


def health_api(
    ready: Callable[[], bool], registry: Callable[[], CollectorRegistry], more: Callable[[], Awaitable[bytes]]
) -> APIRouter:
    """``registry`` is asked at every scrape: with several workers it collects what each of them wrote. ``more`` is
    written after it.
    """
    api = APIRouter()

    @api.head("/")
    async def reachable() -> None:
        """Some clients ask first whether anybody is there."""

    @api.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @api.get("/health/ready")
    async def is_ready(response: Response) -> dict[str, str]:
        if ready():
            return {"status": "ready"}
        response.status_code = 503
        response.headers["retry-after"] = "1"
        return {"status": "starting or stopping"}

    @api.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(registry()) + await more(), media_type=CONTENT_TYPE_LATEST)

    return api
