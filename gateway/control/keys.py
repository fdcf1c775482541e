"""The parent's half of ``/admin/keys``: the register of keys."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.keys.key import VirtualKey, shown
from gateway.keys.register import Register
from gateway.problem import Problem


class _Turn(msgspec.Struct):
    hash: str
    old_until: float


def key_routes(register: Register) -> list[Route]:
    async def add(request: Request) -> Response:
        keys = msgspec.json.decode(await request.body(), type=list[VirtualKey])
        await register.put(keys)
        return _json({"accepted": len(keys)}, 201)

    async def list_keys(_: Request) -> Response:
        return _json({"keys": [shown(key) for key in register.keys]})

    async def rotate(request: Request) -> Response:
        turn = msgspec.json.decode(await request.body(), type=_Turn)
        key = await register.rotate(request.path_params["id"], turn.hash, turn.old_until)
        return _json(_known(key))

    async def revoke(request: Request) -> Response:
        return _json(shown(_known(await register.revoke(request.path_params["id"]))))

    return [
        Route("/keys", add, methods=["POST"]),
        Route("/keys", list_keys, methods=["GET"]),
        Route("/keys/{id}/rotate", rotate, methods=["POST"]),
        Route("/keys/{id}/revoke", revoke, methods=["POST"]),
    ]


def _known(key: VirtualKey | None) -> VirtualKey:
    if key is None:
        raise Problem(404, "unknown_key", "there is no key with this id")
    return key


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
