"""The parent's half of ``/v1/admissions``: keeps the audit, and hands what is in force to the workers."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.problem import Problem
from gateway.store.store import Store
from policies.admission import Admission
from policies.snapshot import Snapshot


class _Posted(msgspec.Struct, forbid_unknown_fields=True):
    admissions: list[Admission]


def admission_routes(store: Store, publish: Callable[[], Awaitable[Snapshot]]) -> list[Route]:
    async def add(request: Request) -> Response:
        try:
            rows = msgspec.json.decode(await request.body(), type=_Posted).admissions
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Problem(400, "invalid_admission", f"no admission was taken: {error}") from error
        if any(not _is_utc(row.at) for row in rows):
            raise Problem(400, "invalid_admission", "no admission was taken: `at` is ISO 8601 in UTC")
        accepted = await store.add_admissions(rows)
        evidence = await publish()
        content = msgspec.json.encode({"accepted": accepted, "version": evidence.version})
        return Response(content, 201, media_type="application/json")

    async def history(request: Request) -> Response:
        rows = await store.admissions(int(request.query_params["limit"]))
        return Response(msgspec.json.encode({"admissions": rows}), media_type="application/json")

    return [
        Route("/v1/admissions", add, methods=["POST"]),
        Route("/v1/admissions", history, methods=["GET"]),
    ]


def _is_utc(moment: str) -> bool:
    try:
        return datetime.fromisoformat(moment).utcoffset() == timedelta(0)
    except ValueError:
        return False
