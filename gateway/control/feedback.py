"""The parent's half of ``/v1/feedback``: keeps verdicts beside the ledger, and sums them up."""

import time
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.feedback import Feedback, online_scorecards
from gateway.ledger.drain import Drain
from gateway.problem import Problem
from gateway.store.store import Store
from policies.languages import ALIASES


def feedback_routes(store: Store, drain: Drain) -> list[Route]:
    async def add(request: Request) -> Response:
        given = _decoded(await request.body())
        row = await store.request(given.request_id)
        if row is None or row["outcome"] is None:
            await drain.once()  # what was answered a moment ago may still be in a spool
            row = await store.request(given.request_id)
        if row is None or request.query_params.get("tenant", row["tenant"]) != row["tenant"]:
            raise Problem(404, "unknown_request", "no request with this id is recorded", param="request_id")
        if not _may_be_judged(row):
            raise Problem(409, "not_answered", "this request got no answer that could be judged", param="request_id")
        await store.add_feedback(given, time.time())
        return Response(msgspec.json.encode(given), 201, media_type="application/json")

    async def summary(request: Request) -> Response:
        await drain.once()
        cards = online_scorecards(await store.feedback_tallies(request.query_params.get("tenant")))
        return Response(msgspec.json.encode({"scorecards": cards}), media_type="application/json")

    return [
        Route("/v1/feedback", add, methods=["POST"]),
        Route("/v1/feedback", summary, methods=["GET"]),
    ]


def _decoded(body: bytes) -> Feedback:
    try:
        given = msgspec.json.decode(body, type=Feedback)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, "invalid_feedback", f"no verdict was taken: {error}") from error
    if given.language is None:
        return given
    language = ALIASES.get(given.language.strip().lower())
    if language is None:
        known = ", ".join(dict.fromkeys(ALIASES.values()))
        raise Problem(400, "invalid_feedback", f"this language is not known; leave it out, or say one of {known}")
    return msgspec.structs.replace(given, language=language)


def _may_be_judged(row: dict[str, Any]) -> bool:
    """Content has gone out, or still may."""
    return row["outcome"] in (None, "ok") or row["ttft_ms"] is not None
