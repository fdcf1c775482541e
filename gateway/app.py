"""The composition root of a serving worker: from a configuration to an application."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from backends.registry import BACKENDS, BackendLimits
from gateway.api import openai_error
from gateway.api.chat import ChatCompletions
from gateway.api.control import ControlClient, control_api
from gateway.api.gate import Gate
from gateway.api.health import health_api
from gateway.api.http import Receive, Scope, Send
from gateway.api.models import models_api
from gateway.api.policies import policies_api
from gateway.cache import AnswerCache
from gateway.config import Config
from gateway.evidence import EvidenceFile
from gateway.fleet import Fleet
from gateway.ledger.spool import Spool
from gateway.pipeline import Pipeline
from gateway.problem import Problem
from gateway.router import Router
from gateway.runtime import Runtime
from gateway.telemetry.fleet_health import FleetHealth
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.observer import make_observer

CHAT_PATH = "/v1/chat/completions"
_FIRST_LOOK_S = 0.5
_LOOK_BEFORE_SWAP_S = 3.0  # nobody waits for it
_VALKEY_CONNECT_S = 0.1
_NO_AUTOMATIC_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False}


class _Application(FastAPI):
    """Sends completions straight to their endpoint: seven layers of framework cost a twentieth of a request."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.straight: dict[str, Gate] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self.straight:
            await self.straight[scope["path"]](scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(
    config: Config,
    runtime: Runtime,
    spool: Spool,
    metrics: Metrics,
    scrape: Callable[[], CollectorRegistry],
    before: FastAPI | None = None,
) -> FastAPI:
    """Everything is wired here and nowhere else; what lasts longer than a configuration is given.

    ``before`` is the application that this one is to replace: what it knows of the servers is known here from the
    start, so that no policy refuses for a moment what it allowed before. ``scrape`` makes a new registry that collects
    all workers' metrics.
    """
    observer = make_observer(metrics, config.telemetry, os.environ)
    fleet = _fleet(config, before.state.fleet if before is not None else None)
    router = Router(fleet, config.policies, config.aliases)
    evidence = EvidenceFile(runtime.evidence_file, router)
    cache = _cache(config, runtime, metrics)
    control = ControlClient(runtime)
    pipeline = Pipeline(router, cache, spool, config.limits)

    def all_metrics() -> CollectorRegistry:
        registry = scrape()
        registry.register(FleetHealth(fleet))
        return registry

    first_look_s = _FIRST_LOOK_S if before is None else _LOOK_BEFORE_SWAP_S

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        evidence.look()
        starting = asyncio.create_task(fleet.start())
        background = [starting, asyncio.create_task(fleet.watch()), asyncio.create_task(evidence.watch())]
        await asyncio.wait({asyncio.create_task(fleet.observe())}, timeout=first_look_s)
        if before is not None:
            await starting  # it goes on serving meanwhile
        async with observer.running():
            app.state.serving = True
            yield
            app.state.serving = False
            for task in background:
                task.cancel()
            await pipeline.drain()
        for closing in (fleet.close(), control.close(), *([cache.close()] if cache else [])):
            await closing

    gate = partial(Gate, api_key=config.api_key, on_refusal=observer.refused)
    chat = ChatCompletions(pipeline, observer, config.limits)
    app = _Application(
        title="Weighbridge",
        telemetry=_NO_AUTOMATIC_TELEMETRY,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        middleware=[Middleware(gate)],
        exception_handlers={
            Problem: _problem,
            HTTPException: _http_exception,
            RequestValidationError: _invalid_parameters,
        },
    )
    app.state.serving = False
    app.state.fleet = fleet
    app.router.routes.append(Route(CHAT_PATH, chat, methods=["POST"]))
    app.straight[CHAT_PATH] = gate(chat)
    app.include_router(models_api(router, int(time.time())))
    app.include_router(policies_api(router))
    app.include_router(control_api(control, config.limits))
    app.include_router(health_api(lambda: app.state.serving and evidence.known and fleet.started, all_metrics))
    return app


def _fleet(config: Config, before: Fleet | None) -> Fleet:
    limits = BackendLimits(config.limits.connect_s, config.limits.max_answer_bytes)
    kinds = {route.backend for route in config.routes.values()}
    return Fleet(config.routes, {kind: BACKENDS[kind](limits) for kind in kinds}, before)


def _cache(config: Config, runtime: Runtime, metrics: Metrics) -> AnswerCache | None:
    if not config.cache.enabled:
        return None
    valkey = Redis.from_url(
        config.cache.url or f"unix://{runtime.valkey_socket}",
        socket_timeout=None,  # the cache has a deadline of its own, at a tenth of the cost
        socket_connect_timeout=_VALKEY_CONNECT_S,
        retry=Retry(NoBackoff(), 0),
    )
    return AnswerCache(
        valkey,
        ttl_s=config.cache.ttl_s,
        max_entry_bytes=config.cache.max_entry_bytes,
        on_failure=metrics.valkey_failed,
    )


async def _problem(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    status, headers, body = openai_error.response(problem)
    return Response(body, status, {name.decode(): value.decode() for name, value in headers})


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.url.path[:200]}"
    message = {404: f"there is no {where}", 405: f"{where}: this method is not allowed here"}
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    return await _problem(request, Problem(error.status_code, code, message.get(error.status_code, str(error.detail))))


async def _invalid_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = str(first["loc"][-1])
    return await _problem(request, Problem(400, "invalid_parameter", f"{name}: {first['msg']}", param=name))
