"""The admin API: ``/admin/keys``. A key is made here and shown once; the parent process gets its hash only."""

import time
from collections.abc import Iterable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from gateway.api.control import ControlClient
from gateway.api.http import read_body
from gateway.config.names import did_you_mean
from gateway.keys.key import VirtualKey, shown
from gateway.keys.keyring import Keyring
from gateway.keys.order import KeyOrder
from gateway.keys.secret import new_id, new_key
from gateway.limits import Limits
from gateway.problem import Problem
from gateway.routing.router import Router

_MOST_GRACE_S = 90 * 86_400
_Grace = Annotated[float, Query(ge=0, le=_MOST_GRACE_S)]


def keys_api(control: ControlClient, ring: Keyring, router: Router, limits: Limits) -> APIRouter:
    api = APIRouter()

    @api.post("/admin/keys")
    async def create(request: Request) -> Response:
        order = KeyOrder.read(await read_body(request.scope, request.receive, limits.max_body_bytes, limits.receive_s))
        _check_names("routes", order.routes, router.fleet.routes)
        _check_names("policies", order.policies, router.policies)
        secret = new_key()
        key = order.key(new_id(), ring.hash(secret.encode()), time.time())
        answer = await control.forward("POST", "/keys", msgspec.json.encode(key))
        return _made(secret, key) if answer.status_code == 201 else answer

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
        return _made(secret, msgspec.json.decode(answer.body, type=VirtualKey), status=200)

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


def _made(secret: str, key: VirtualKey, status: int = 201) -> Response:
    body = msgspec.json.encode({"key": secret, **shown(key)})
    return Response(body, status, {"cache-control": "no-store"}, media_type="application/json")
