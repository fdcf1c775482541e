"""The parent's own small API, on a Unix socket: what needs the store. Workers pass requests for it on."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api import openai_error
from gateway.control.admissions import admission_routes
from gateway.control.feedback import feedback_routes
from gateway.control.keys import key_routes
from gateway.control.spend import spend_routes
from gateway.keys.register import Register
from gateway.ledger.drain import Drain
from gateway.problem import Problem
from gateway.store.store import Store
from gateway.store.trouble import StoreRefused, StoreUnavailable
from policies.snapshot import InvalidScorecard, Snapshot

log = logging.getLogger("weighbridge.control")

_USAGE = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "cache_write_1h_tokens")


def create_control(
    store: Store, drain: Drain, publish: Callable[[], Awaitable[Snapshot]], register: Register
) -> Starlette:
    """``publish`` hands the store's evidence to the workers and returns it."""

    async def add_scorecards(request: Request) -> Response:
        try:
            cards = Snapshot.decode(await request.body()).scorecards
        except InvalidScorecard as error:
            raise Problem(400, "invalid_scorecard", f"no scorecard was taken: {error}") from error
        await store.add_scorecards(cards)
        evidence = await publish()
        return _json({"accepted": len(cards), "version": evidence.version}, 201)

    async def list_scorecards(_: Request) -> Response:
        return Response((await store.evidence()).encode(), media_type="application/json")

    async def get_request(request: Request) -> Response:
        await drain.once()  # what was answered a moment ago may still be in a spool
        row = await store.request(request.path_params["id"])
        if row is None or request.query_params.get("tenant", row["tenant"]) != row["tenant"]:
            raise Problem(404, "unknown_request", "no request with this id is recorded")
        return _json(_shown(row))

    async def list_requests(request: Request) -> Response:
        await drain.once()
        asked = request.query_params
        rows = await store.requests_of(asked["session"], int(asked["limit"]), asked.get("tenant"))
        return _json({"requests": [_shown(row) for row in rows]})

    return Starlette(
        routes=[
            Route("/v1/scorecards", add_scorecards, methods=["POST"]),
            Route("/v1/scorecards", list_scorecards, methods=["GET"]),
            Route("/v1/requests", list_requests, methods=["GET"]),
            Route("/v1/requests/{id}", get_request, methods=["GET"]),
            *admission_routes(store, publish),
            *feedback_routes(store, drain),
            *spend_routes(store, drain),
            *key_routes(register),
        ],
        exception_handlers={
            Problem: _refuse,
            StoreRefused: _refuse_value,
            StoreUnavailable: _unavailable,
            OSError: _unavailable,
        },
    )


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name not in (*_USAGE, "spool", "tenant")}
    return {**shown, "usage": {name: row[name] or 0 for name in _USAGE}}


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


async def _refuse(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    status, headers, body = openai_error.response(problem)
    return Response(body, status, {name.decode(): value.decode() for name, value in headers})


async def _refuse_value(request: Request, refused: Exception) -> Response:
    return await _refuse(request, Problem(400, "invalid_value", f"the store cannot hold this: {refused}"))


async def _unavailable(request: Request, error: Exception) -> Response:
    """The store or a disk does not take it. Which, and why, is for the log."""
    log.warning("an answer from the store failed", extra={"path": request.url.path, "reason": str(error)})
    message = "the gateway's store is not available; requests are served and recorded all the same"
    return await _refuse(request, Problem(503, "store_unavailable", message, retry_after=2))
