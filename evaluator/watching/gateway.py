"""The gateway as watching sees it: what to weigh, whether a route is busy, and where decisions go."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

import httpx
import msgspec

from evaluator.replaying.client import Refused, Unreachable
from policies.admission import Admission

_TIMEOUT_S = 30.0
_Shape = TypeVar("_Shape")


class RouteGate(msgspec.Struct, frozen=True):
    """A route's revision at one gate of some policy; ``language`` None is the whole suite."""

    route: str
    revision: str
    suite: str
    language: str | None
    at_least: float
    confidence: float


class View(msgspec.Struct, frozen=True):
    """``admissions``: those in force."""

    gates: tuple[RouteGate, ...]
    admissions: tuple[Admission, ...]


class _Waiting(msgspec.Struct):
    waiting: int | None


class _Accepted(msgspec.Struct):
    accepted: int


class Gateway:
    """Every method raises Unreachable, or Refused with the gateway's own words."""

    def __init__(self, base_url: str, api_key: str | None) -> None:
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.AsyncClient(base_url=base_url, headers=headers, timeout=_TIMEOUT_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def view(self) -> View:
        return await self._asked(View, "GET", "/watch")

    async def waiting(self, route: str) -> int:
        """Requests that wait at the route's servers; 0 where they do not say."""
        return (await self._asked(_Waiting, "GET", "/watch/waiting", params={"route": route})).waiting or 0

    async def post(self, rows: Sequence[Admission]) -> None:
        """What is in force already changes nothing."""
        await self._asked(_Accepted, "POST", "/admissions", content=msgspec.json.encode({"admissions": rows}))

    async def _asked(
        self,
        shape: type[_Shape],
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> _Shape:
        try:
            answer = await self._http.request(method, path, params=params, content=content)
        except httpx.TransportError as error:
            raise Unreachable(f"{type(error).__name__} at {self._http.base_url}") from error
        if answer.status_code >= 500:
            raise Unreachable(f"{answer.status_code}: {answer.text[:300]}")
        if not answer.is_success:
            raise Refused(f"{answer.status_code}: {answer.text[:300]}")
        try:
            return msgspec.json.decode(answer.content, type=shape)
        except msgspec.DecodeError as error:
            raise Refused(f"no Weighbridge gateway answers there: {error}") from error
