"""The evaluator's only way to a model: an OpenAI-compatible endpoint over HTTP, as any other client uses it."""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import httpx

from evaluator.replaying.answer import Answer, BrokenAnswer
from evaluator.replaying.calls import CallFailed, Refused, Unreachable, failure
from evaluator.replaying.prompt import question
from evaluator.replaying.wires import CHAT, RESPONSES, Form, Sampling, Wire
from policies.scorecard import Scorecard

if TYPE_CHECKING:
    from evaluator.replaying.messages_wire import MessagesWire

__all__ = ["Bill", "CacheMode", "CallFailed", "Client", "Refused", "Sampling", "Target", "TargetKind", "Unreachable"]

CacheMode = Literal["no-store", "use", "both"]
"""`both`: every sample is asked afresh, and again so that the cache answers."""
TargetKind = Literal["route", "policy"]

UNKNOWN_REVISION = "unknown"
_LEDGER_WAITS_S = (0.02, 0.1, 0.3, 1.0)
"""A ledger row is settled just after its answer's last byte: how long to wait before looking again."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is weighed, as the endpoint describes it now."""

    name: str
    kind: TargetKind
    revision: str
    is_gateway: bool
    """False: some other OpenAI-compatible server, which knows neither revisions nor costs nor scorecards."""


@dataclass(frozen=True, slots=True)
class Bill:
    """A settled request by the gateway's ledger: nano-dollars, and how many attempts at routes the gateway made."""

    cost_nanousd: int
    attempts: int


_NO_HEADERS: Mapping[str, str] = {}
_CACHE_HEADERS: Mapping[CacheMode, Mapping[str, str]] = {
    "no-store": {"cache-control": "no-store"},
    "use": _NO_HEADERS,
    "both": {"cache-control": "no-cache"},
}
"""What a first asking of a sample says: with `both` it is answered afresh, and its answer kept."""


class Client:
    """One connection pool to one endpoint. ``base_url`` ends in ``/v1``; ``timeout_s`` bounds one whole call.

    Raises Refused where ``wire`` cannot be spoken.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        cache: CacheMode = "no-store",
        timeout_s: float = 600,
        wire: Wire = "chat",
    ) -> None:
        headers = {"user-agent": "weighbridge-replay", "x-weighbridge-keep-alive": "no"}  # the head says which route
        if api_key:
            headers["authorization"] = f"Bearer {api_key}"
        self._cache_headers = _CACHE_HEADERS[cache]
        self._timeout_s = timeout_s
        self._form = RESPONSES if wire == "responses" else CHAT
        self._messages = _messages_wire(base_url, api_key, headers, timeout_s) if wire == "messages" else None
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers=headers,
            timeout=httpx.Timeout(timeout_s, connect=10, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()
        if self._messages is not None:
            await self._messages.close()

    async def target(self, name: str, kind: TargetKind) -> Target:
        """What the endpoint reports for ``name``. Raises Unreachable, or Refused with what it offers instead."""
        listing = await self._models()
        if not any("weighbridge" in entry for entry in listing):
            return Target(name, kind, UNKNOWN_REVISION, is_gateway=False)
        facts = {str(entry["id"]): entry.get("weighbridge", {}) for entry in listing}
        if name not in facts:
            raise Refused(f"{name!r} is not served there; it offers: {', '.join(facts) or 'nothing'}")
        if (facts[name].get("kind") == "route") != (kind == "route"):
            other = "--policy" if kind == "route" else "--route"
            raise Refused(f"{name!r} is a {facts[name].get('kind')}: weigh it with {other} {name}")
        revision = facts[name].get("revision")
        if kind == "policy":
            revision = _digest_of_revisions(facts)
        return Target(name, kind, str(revision or UNKNOWN_REVISION), is_gateway=True)

    async def is_reachable(self) -> bool:
        try:
            await self._http.get("/models", timeout=10)
        except httpx.TransportError:
            return False
        return True

    async def ask(
        self,
        model: str,
        language: str,
        prompt: str,
        sampling: Sampling,
        *,
        again: bool = False,
        extra: Mapping[str, str] = _NO_HEADERS,
    ) -> Answer:
        """One streamed answer, read to its end. ``again``: the cache may answer. ``extra``: further headers.

        Raises CallFailed, or Refused if every call would fail.
        """
        text = question(language, prompt)
        headers = {"x-weighbridge-language": language, **({} if again else self._cache_headers), **extra}
        if self._messages is not None:
            return await self._within(self._messages.ask(model, text, sampling, headers))
        return await self._post(self._form, self._form.body(model, text, sampling), headers)

    async def stream(self, body: Mapping[str, object], extra: Mapping[str, str]) -> Answer:
        """The answer to a chat request with these fields and further headers. Raises as ``ask`` does."""
        return await self._post(CHAT, body, {**self._cache_headers, **extra})

    async def _within(self, answer: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await answer
        except TimeoutError as error:
            raise CallFailed(f"no whole answer within {self._timeout_s:g} s", {}) from error

    async def _post(self, form: Form, body: Mapping[str, object], sent: Mapping[str, str]) -> Answer:
        headers: Mapping[str, str] = {}
        started = time.perf_counter()
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._http.stream("POST", form.path, json=body, headers=sent) as response,
            ):
                headers = response.headers
                if response.status_code != 200:
                    await response.aread()
                    raise _failure(response)
                if response.headers.get("content-type", "").startswith("application/json"):
                    return form.read_whole(await response.aread(), headers, started)
                return await form.read_stream(response.aiter_bytes(), headers, started)
        except BrokenAnswer as error:
            raise CallFailed(str(error), headers) from error
        except TimeoutError as error:
            raise CallFailed(f"no whole answer within {self._timeout_s:g} s", headers) from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            reason = f"{type(error).__name__}: {error}".removesuffix(": ")
            raise CallFailed(reason, headers) from error

    async def bill(self, request_id: str) -> Bill | None:
        """What the ledger says of a request; None when it is not settled a second and a half later, or not known."""
        for wait_s in (*_LEDGER_WAITS_S, None):
            try:
                response = await self._http.get(f"/requests/{request_id}", timeout=10)
                row = response.json() if response.status_code == 200 else {}
            except (httpx.TransportError, ValueError):
                row = {}
            if row.get("cost_nanousd") is not None and row.get("outcome"):
                return Bill(int(row["cost_nanousd"]), max(1, len(row.get("attempts") or ())))
            if wait_s is not None:
                await asyncio.sleep(wait_s)
        return None

    async def post(self, cards: Sequence[Scorecard]) -> None:
        """Raises Unreachable or Refused; the gateway has them all or none."""
        try:
            response = await self._http.post(
                "/scorecards", json={"scorecards": [asdict(card) for card in cards]}, timeout=30
            )
        except httpx.TransportError as error:
            raise Unreachable(f"{type(error).__name__} at {self._http.base_url}") from error
        if response.status_code != 201:
            raise Refused(f"{response.status_code}: {_message(response)}")

    async def _models(self) -> list[dict[str, Any]]:
        try:
            response = await self._http.get("/models", timeout=30)
        except httpx.TransportError as error:
            raise Unreachable(f"{type(error).__name__} at {self._http.base_url}") from error
        if response.status_code in (401, 403):
            raise Refused(f"{response.status_code}: {_message(response)}")
        if response.status_code in (404, 405, 501):
            if await self._is_below("/v1"):
                raise Refused(f"{response.status_code}: {_message(response)}")
            return []  # not every OpenAI-compatible server lists models
        if response.status_code != 200:
            raise Unreachable(f"{response.status_code}: {_message(response)}")
        try:
            listing = response.json()["data"]
        except (ValueError, KeyError, TypeError):
            return []
        return [entry for entry in listing if isinstance(entry, dict) and "id" in entry]

    async def _is_below(self, path: str) -> bool:
        """Models are listed below ``path``: the base URL was cut short, and every request would come to nothing."""
        try:
            return (await self._http.get(f"{path}/models", timeout=30)).status_code == 200
        except httpx.TransportError:
            return False


def _messages_wire(base_url: str, api_key: str | None, headers: Mapping[str, str], timeout_s: float) -> "MessagesWire":
    try:
        from evaluator.replaying.messages_wire import MessagesWire  # noqa: PLC0415 (0.8 s, and only this wire needs it)
    except ImportError as error:
        advice = "pip install 'weighbridge[anthropic]'"
        raise Refused(f"the wire `messages` is spoken by the package anthropic: {advice}") from error
    return MessagesWire(base_url, api_key, headers, timeout_s)


def _digest_of_revisions(facts: Mapping[str, Mapping[str, Any]]) -> str:
    """A policy answers with any route, so its answers can change when any route's revision does."""
    routes = sorted((name, entry.get("revision")) for name, entry in facts.items() if entry.get("kind") == "route")
    return hashlib.sha256(json.dumps(routes).encode()).hexdigest()[:12]


def _failure(response: httpx.Response) -> Exception:
    return failure(response.status_code, _message(response), response.headers)


def _message(response: httpx.Response) -> str:
    """The error in the server's own words: OpenAI's shape, or the start of whatever it sent."""
    try:
        error = response.json()["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        return response.text.strip()[:300] or response.reason_phrase
