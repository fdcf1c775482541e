"""The composition root of a serving worker: from a configuration to an application."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware
from starlette.routing import Route

from backends.registry import BACKENDS, BackendLimits
from gateway.api import chat, completions, embeddings, messages, responses
from gateway.api.control import ControlClient, control_api
from gateway.api.exceptions import EXCEPTION_HANDLERS
from gateway.api.gate import Gate, Keys
from gateway.api.generation import Generation
from gateway.api.health import health_api
from gateway.api.http import Receive, Scope, Send
from gateway.api.keys import keys_api
from gateway.api.models import models_api
from gateway.api.no_websocket import NoWebSocket
from gateway.api.policies import policies_api
from gateway.api.spend import spend_api
from gateway.api.stored_responses import stored_responses_api
from gateway.api.watch import watch_api
from gateway.config import Config
from gateway.fleet.fleet import Fleet
from gateway.keys.keyring import Keyring
from gateway.ledger.spool import Spool
from gateway.limiting.admission import Admission
from gateway.limiting.budgets import Budgets, asking_names
from gateway.limiting.ledger_id import ledger_id
from gateway.limiting.limiter import Limiter
from gateway.limiting.seeded import Seeded
from gateway.pipeline.cache import AnswerCache
from gateway.pipeline.kept_answers import KeptAnswers
from gateway.pipeline.pipeline import Pipeline
from gateway.pipeline.turns import Turns
from gateway.processes.runtime import Runtime
from gateway.routing.evidence import EvidenceFile
from gateway.routing.router import Router
from gateway.routing.shadow import Shadows
from gateway.routing.shadow_budget import DayBudget
from gateway.telemetry.evidence_bounds import evidence_bounds
from gateway.telemetry.fleet_health import FleetHealth
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.observer import Observer, make_observer
from gateway.telemetry.watched import Watched
from gateway.valkey import Valkey
from gateway.verify.confidence import ConfidenceVerifier
from policies.verify import Form, Verifier

WIRES = (chat.WIRE, completions.WIRE, responses.WIRE, messages.WIRE, messages.COUNT_TOKENS, embeddings.WIRE)
_FIRST_LOOK_S = 0.5
_LOOK_BEFORE_SWAP_S = 3.0  # nobody waits for it
_NO_AUTOMATIC_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False}


class _Application(FastAPI):
    """Sends generation straight to their endpoint: seven layers of framework cost a twentieth of a request."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.straight: dict[str, Gate] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self.straight:
            await self.straight[scope["path"]](scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What an application is made of, wired here and nowhere else."""

    observer: Observer
    fleet: Fleet
    router: Router
    evidence: EvidenceFile
    cache: AnswerCache | None
    valkey: Valkey
    control: ControlClient
    pipeline: Pipeline
    keyring: Keyring | None
    seeded: Seeded | None

    @property
    def known(self) -> bool:
        """Whether it is known what to serve to whom: evidence, keys, what of their budgets is spent."""
        known = self.evidence.known and (self.keyring is None or self.keyring.known)
        return known and (self.seeded is None or self.seeded.known) and self.fleet.started


def create_app(
    config: Config,
    runtime: Runtime,
    spool: Spool,
    metrics: Metrics,
    scrape: Callable[[], CollectorRegistry],
    before: FastAPI | None = None,
) -> FastAPI:
    """One configuration's application; what lasts longer than a configuration is given.

    ``before`` is the application that this one is to replace: what it knows of the servers is known here from the
    start, so that no policy refuses for a moment what it allowed before. ``scrape`` makes a new registry that collects
    all workers' metrics.
    """
    parts = _parts(config, runtime, spool, metrics, before)
    keys = Keys(config.api_key, config.keys.admin_key if config.keys is not None else None, parts.keyring)
    gate = partial(Gate, keys=keys, on_refusal=parts.observer.refused)
    app = _Application(
        title="Weighbridge",
        telemetry=_NO_AUTOMATIC_TELEMETRY,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # it would go where the Host header says
        lifespan=partial(_lifespan, parts=parts, replaces=before is not None),
        middleware=[Middleware(gate), Middleware(NoWebSocket)],
        exception_handlers=EXCEPTION_HANDLERS,
    )
    app.state.serving = False
    app.state.stop = parts.pipeline.stop
    app.state.receive_s = config.limits.receive_s
    app.state.fleet = parts.fleet
    app.state.sessions = parts.router.sessions
    app.state.seeded = parts.seeded

    def all_metrics() -> CollectorRegistry:
        registry = scrape()
        registry.register(FleetHealth(parts.fleet))
        registry.register(Watched(parts.router))
        return registry

    turns = Turns(config.limits, metrics.waiting.inc)
    for wire in WIRES:
        endpoint = Generation(wire, parts.pipeline, parts.observer, config.limits, turns)
        app.router.routes.append(Route(wire.path, endpoint, methods=["POST"]))
        app.straight[wire.path] = gate(endpoint, on_refusal=partial(parts.observer.refused, wire=wire.name))
    app.include_router(models_api(parts.router, int(time.time())))
    app.include_router(policies_api(parts.router))
    app.include_router(stored_responses_api(parts.fleet))
    app.include_router(control_api(parts.control, config.limits))
    app.include_router(spend_api(parts.control))
    app.include_router(watch_api(parts.router, parts.control, config.limits))
    if parts.keyring is not None:
        app.include_router(keys_api(parts.control, parts.keyring, parts.router, config.limits))
    app.include_router(
        health_api(lambda: app.state.serving and parts.known, all_metrics, partial(evidence_bounds, parts.router))
    )
    return app


def _parts(config: Config, runtime: Runtime, spool: Spool, metrics: Metrics, before: FastAPI | None) -> _Parts:
    observer = make_observer(metrics, config.telemetry, os.environ)
    fleet = _fleet(config, before.state.fleet if before is not None else None)
    fleet.on_placed = metrics.placed
    sessions = before.state.sessions if before is not None else None
    router = Router(fleet, config.policies, config.aliases, sessions)
    valkey = Valkey(
        config.cache.url or f"unix://{runtime.valkey_socket}",
        connect_s=config.cache.wait_s,
        reply_s=config.cache.wait_s,
    )
    cache = _cache(config, valkey, metrics)
    nobody_else = runtime.alone and config.cache.url is None  # who could be making the same answer
    kept = KeptAnswers(cache, "none" if nobody_else else config.cache.across)
    shadows = _shadows(config, runtime, spool, observer, fleet)
    admission = _admission(config, runtime, valkey, metrics)
    return _Parts(
        observer=observer,
        fleet=fleet,
        router=router,
        evidence=EvidenceFile(runtime.evidence_file, runtime.bounds_file, runtime.live_file, router),
        cache=cache,
        valkey=valkey,
        control=ControlClient(runtime),
        pipeline=Pipeline(router, kept, spool, config.limits, _verifiers(config), shadows, admission),
        keyring=Keyring(runtime.keys_file, config.keys.secret) if config.keys is not None else None,
        seeded=_seeded(config, runtime, valkey, before),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI, parts: _Parts, replaces: bool) -> AsyncIterator[None]:
    """``replaces``: another application goes on serving until this one is ready."""
    parts.evidence.look()
    starting = asyncio.create_task(parts.fleet.start())
    background = [starting, asyncio.create_task(parts.fleet.watch()), asyncio.create_task(parts.evidence.watch())]
    if parts.keyring is not None:
        parts.keyring.look()
        background.append(asyncio.create_task(parts.keyring.watch()))
    if parts.seeded is not None:
        background.append(asyncio.create_task(parts.seeded.watch()))
    first_look_s = _LOOK_BEFORE_SWAP_S if replaces else _FIRST_LOOK_S
    await asyncio.wait({asyncio.create_task(parts.fleet.observe())}, timeout=first_look_s)
    if replaces:
        await starting
    async with parts.observer.running():
        app.state.serving = True
        yield
        app.state.serving = False
        for task in background:
            task.cancel()
        await parts.pipeline.drain()
    if parts.cache is not None:
        await parts.cache.close()
    for closing in (parts.fleet.close(), parts.control.close(), parts.valkey.close()):
        await closing


def _fleet(config: Config, before: Fleet | None) -> Fleet:
    limits = BackendLimits(config.limits.connect_s, config.limits.max_answer_bytes)
    kinds = {route.backend for route in config.routes.values()}
    return Fleet(config.routes, {kind: BACKENDS[kind](limits) for kind in kinds}, before)


def _verifiers(config: Config) -> dict[Form, Verifier]:
    """The seam behind which the evaluator is loaded: only where a policy verifies with it."""
    forms = {policy.verify.by for policy in config.policies.values() if policy.verify is not None}
    verifiers: dict[Form, Verifier] = {}
    if "examples" in forms:
        from evaluator.examples.verifier import ExamplesVerifier  # noqa: PLC0415
        from evaluator.sandbox import Remote  # noqa: PLC0415

        verifiers["examples"] = ExamplesVerifier(Remote(config.sandboxd))
    if "syntax" in forms:
        from evaluator.syntax import SyntaxVerifier  # noqa: PLC0415

        verifiers["syntax"] = SyntaxVerifier()
    if "confidence" in forms:
        verifiers["confidence"] = ConfidenceVerifier()
    return verifiers


def _shadows(config: Config, runtime: Runtime, spool: Spool, observer: Observer, fleet: Fleet) -> Shadows | None:
    if all(policy.shadow is None for policy in config.policies.values()):
        return None
    budget = DayBudget(runtime.state / "shadows")
    return Shadows(fleet, config.limits, spool, observer, budget, observer.metrics.shadow_dropped)


def _admission(config: Config, runtime: Runtime, valkey: Valkey, metrics: Metrics) -> Admission | None:
    if config.keys is None:
        return None
    limiter = Limiter(
        valkey,
        ledger=ledger_id(runtime.state),
        when_unavailable=config.limits.when_unavailable,
        on_failure=metrics.valkey_failed,
        on_overrun=metrics.overran,
    )
    asking = asking_names({name: policy.budget is not None for name, policy in config.policies.items()}, config.aliases)
    shared = config.keys.shared
    budgets = Budgets(valkey, shared, ledger=ledger_id(runtime.state), names=asking) if asking else None
    return Admission(limiter, shared, budgets)


def _seeded(config: Config, runtime: Runtime, valkey: Valkey, before: FastAPI | None) -> Seeded | None:
    """None without limits, and where nobody waits for them."""
    if config.keys is None or config.limits.when_unavailable == "allow":
        return None
    known = before is not None and before.state.seeded is not None and before.state.seeded.known
    return Seeded(valkey, ledger_id(runtime.state), known=known)


def _cache(config: Config, valkey: Valkey, metrics: Metrics) -> AnswerCache | None:
    if not config.cache.enabled:
        return None
    return AnswerCache(
        valkey,
        ttl_s=config.cache.ttl_s,
        max_entry_bytes=config.cache.max_entry_bytes,
        on_failure=metrics.valkey_failed,
    )
