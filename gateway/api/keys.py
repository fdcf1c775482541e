"""The admin API: ``/admin/keys``. A key is made here and shown once; the parent process gets its hash only."""

import asyncio
import time
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from gateway.api.control import ControlClient
from gateway.api.http import read_body
from gateway.config.names import did_you_mean
from gateway.keys.key import VirtualKey, shown
from gateway.keys.keyring import Keyring
from gateway.keys.order import BatchOrder, KeyOrder, of_number
from gateway.keys.secret import new_id, new_key
from gateway.limits import Limits
from gateway.problem import Problem
from gateway.routing.router import Router

_BREATH = 100
_MOST_GRACE_S = 90 * 86_400
_Grace = Annotated[float, Query(ge=0, le=_MOST_GRACE_S)]


def keys_api(control: ControlClient, ring: Keyring, router: Router, limits: Limits) -> APIRouter:
    api = APIRouter()

    async def body_of(request: Request) -> bytes:
        return await read_body(request.scope, request.receive, limits.max_body_bytes, limits.receive_s)

    def made_of(order: KeyOrder) -> tuple[str, VirtualKey]:
        """The key itself, and what is kept of it. Raises ``Problem`` 400."""
        _check_names("routes", order.routes, router.fleet.routes)
        _check_names("policies", order.policies, router.policies)
        secret = new_key()
        return secret, order.key(new_id(), ring.hash(secret.encode()), time.time())

    @api.post("/admin/keys")
    async def create(request: Request) -> Response:
        order = KeyOrder.read(await body_of(request))
        secret, key = made_of(order)
        answer = await control.forward("POST", "/keys", msgspec.json.encode([key]))
        return _shown_once(_made(secret, key), 201) if answer.status_code == 201 else answer

    @api.post("/admin/keys/batch")
    async def create_all(request: Request) -> Response:
        """In one commit. Requests are served meanwhile: ten thousand keys take a tenth of a second to make."""
        batch = BatchOrder.read(await body_of(request))
        made: list[tuple[str, VirtualKey]] = []
        for number, order in enumerate(batch.keys, 1):
            with of_number(number):
                made.append(made_of(order))
            if number % _BREATH == 0:
                await asyncio.sleep(0)
        answer = await control.forward("POST", "/keys", msgspec.json.encode([key for _, key in made]))
        if answer.status_code != 201:
            return answer
        return _shown_once({"keys": [_made(secret, key) for secret, key in made]}, 201)

    @api.get("/admin/keys")
    async def list_keys() -> Response:
        return await control.forward("GET", "/keys")

    @api.post("/admin/keys/{key_id}/rotate")
    async def rotate(key_id: str, grace_s: _Grace = 0.0) -> Response:
        """The key that was is good for ``grace_s`` seconds more."""
        secret = new_key()
        turn = {"hash": ring.hash(secret.encode()), "old_until": time.time() + grace_s}
        answer = await control.forward("POST", f"/keys/{_id(key_id)}/rotate", msgspec.json.encode(turn))
        if answer.status_code != 200:
            return answer
        return _shown_once(_made(secret, msgspec.json.decode(answer.body, type=VirtualKey)), 200)

    @api.post("/admin/keys/{key_id}/revoke")
    async def revoke(key_id: str) -> Response:
        return await control.forward("POST", f"/keys/{_id(key_id)}/revoke")

    return api


def _id(text: str) -> str:
    if not text.replace("_", "").isalnum() or not text.isascii():
        raise Problem(404, "unknown_key", "there is no key with this id")
    return text


def _check_names(field: str, names: Iterable[str] | None, known: Iterable[str]) -> None:
    known = list(known)
    for name in sorted(names or ()):
        if name not in known:
            message = f"{field}: there is no {name[:100]!r}; {did_you_mean(name, known)}"
            raise Problem(400, "invalid_key", message, param=field)


def _made(secret: str, key: VirtualKey) -> dict[str, Any]:
    return {"key": secret, **shown(key)}


def _shown_once(content: dict[str, Any], status: int) -> Response:
    return Response(msgspec.json.encode(content), status, {"cache-control": "no-store"}, media_type="application/json")
