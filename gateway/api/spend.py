"""``/v1/spend``: what was spent on what. A virtual key is told of its own tenant's requests, and of no others."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from gateway.api.control import ControlClient, of_tenant
from gateway.problem import Problem

By = Literal["key", "team", "customer", "tenant", "policy", "route", "model", "language", "day", "source"]

_FIRST = date(1970, 1, 1)


def spend_api(control: ControlClient) -> APIRouter:
    api = APIRouter()

    @api.get("/v1/spend")
    async def spend(
        request: Request,
        by: Annotated[list[By], Query(max_length=10)] = [],  # noqa: B006 (FastAPI copies it)
        since: date | None = None,
        until: date | None = None,
    ) -> Response:
        """Days are UTC's, and both belong to it: this month's until today, when not given."""
        today = datetime.now(UTC).date()
        until = until or today
        since = since or until.replace(day=1)
        if not _FIRST <= since <= until:
            raise Problem(400, "invalid_request", f"since ({since}) is not before until ({until})", param="since")
        asked = [("since", since), ("until", until), *(("by", name) for name in dict.fromkeys(by))]
        return await control.forward("GET", f"/v1/spend?{urlencode([*asked, *of_tenant(request).items()])}")

    return api
