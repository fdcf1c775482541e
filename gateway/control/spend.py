"""The parent's half of ``/v1/spend``: sums over the ledger, in whole nano-dollars."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.ledger.drain import Drain
from gateway.store import gpu, spend
from gateway.store.spend import MEASURES, Days
from gateway.store.store import Store

_EPOCH = date(1970, 1, 1)
_FIELDS = {"key": "key_id", "source": "usage_source"}
"""What a dimension is called in the ledger, where that is another word."""


def spend_routes(store: Store, drain: Drain) -> list[Route]:
    async def sums(request: Request) -> Response:
        await drain.once()  # what was answered a moment ago may still be in a spool
        asked = request.query_params
        since, until, by = asked["since"], asked["until"], asked.getlist("by")
        days = Days(_number(since), _number(until))
        fields = [_FIELDS.get(name, name) for name in by]
        tenant = asked.get("tenant")
        rows = await store.read(partial(spend.spend, days=days, by=fields, tenant=tenant))
        idle = await store.read(partial(gpu.idle, days=days, by=fields)) if tenant is None else []
        shown = [_row(row, row["kind"], by) for row in rows] + [_row(row, "idle_gpu", by) for row in idle]
        shown.sort(key=lambda row: [_order(row["kind"]), *(str(row[name] or "") for name in by)])
        content = {"since": since, "until": until, "by": by, "rows": shown, "total": _total(shown)}
        return Response(msgspec.json.encode(content), media_type="application/json")

    return [Route("/v1/spend", sums, methods=["GET"])]


def _row(found: Mapping[str, Any], kind: str, by: Sequence[str]) -> dict[str, Any]:
    """``estimated_nanousd`` is what of the cost is not for tokens that the provider counted itself."""
    of_gpus = kind == "idle_gpu"
    names = {name: _shown(name, found.get(_FIELDS.get(name, name))) for name in by}
    counts = {name: found.get(name, 0) for name in MEASURES}
    provider = found["cost_nanousd"] if of_gpus else found["provider_nanousd"]
    estimated = found["cost_nanousd"] - provider
    more = {"provider_nanousd": provider, "estimated_nanousd": estimated, "gpu_seconds": found.get("gpu_seconds", 0)}
    return {"kind": kind, **names, **counts, **more}


def _total(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    sums = Counter(dict.fromkeys((*MEASURES, "provider_nanousd", "estimated_nanousd", "gpu_seconds"), 0))
    for row in rows:
        sums.update({name: row[name] for name in sums})
    return dict(sums)


def _order(kind: str) -> str:
    return str(("requests", "shadow", "idle_gpu").index(kind))


def _shown(name: str, value: Any) -> Any:
    return (_EPOCH + timedelta(days=value)).isoformat() if name == "day" and value is not None else value


def _number(day: str) -> int:
    return (date.fromisoformat(day) - _EPOCH).days
