"""vLLM servers, and any other that speaks OpenAI's wire: the client's bytes go through, a few fields spliced."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from backends import http1
from backends.backend import BackendError, Call, Load, Method, Stored
from backends.fim import without_suffix
from backends.message_threads import refuse_threads
from backends.route import Revision, Route
from backends.upstream_http import error_body, retry_after_s, whole_body
from backends.vllm_tenants import keep_apart
from backends.wire_answer import WireAnswer, spliced
from backends.wires import WIRES

_MAX_PAGE_BYTES = 4 * 1024 * 1024
_WAITING = re.compile(rb"^vllm:num_requests_waiting(?:{[^}]*})? (\S+)$", re.MULTILINE)
_KV_USAGE = re.compile(rb"^vllm:kv_cache_usage_perc(?:{[^}]*})? (\S+)$", re.MULTILINE)
_KEEPS_NONE = frozenset((404, 405, 501))
_ABOUT_THE_RESPONSE = frozenset((400, 409))
_NOT_IMPLEMENTED = 501  # of a server that is up, but knows no such page


class VllmBackend:
    """``max_answer_bytes`` cuts an endless answer; ``connect_s`` bounds the connect."""

    def __init__(self, *, connect_s: float, max_answer_bytes: int) -> None:
        self._client = http1.Client(connect_s=connect_s)
        self._max_answer_bytes = max_answer_bytes

    async def start(self) -> None:
        """Nothing takes time."""

    async def send(self, route: Route, replica: str, call: Call) -> WireAnswer:
        refuse_threads(call)
        wire = WIRES[call.wire]
        body_fields = spliced(call, wire, route.model)
        keep_apart(body_fields, call, route)
        fields: Mapping[str, msgspec.Raw] = body_fields
        if route.fim is not None and call.wire == "completions" and "suffix" in fields:
            fields = without_suffix(fields, route.fim)
        body = msgspec.json.encode(fields)
        headers = {"content-type": "application/json", **call.headers, **route.headers}
        try:
            response = await self._client.request("POST", replica, wire.path, headers, body)
        except OSError as error:
            raise _translated(error, replica) from error
        if not 200 <= response.status < 300:
            raise await _status_error(response, replica)
        if response.headers.get("content-encoding", "identity") != "identity":
            response.close()
            raise BackendError("malformed", f"{replica} compressed its answer, which it was not asked to")
        content_type = response.headers.get("content-type", "application/json")
        return WireAnswer(
            wire,
            call.include_usage,
            content_type,
            response.read,
            response.close,
            replica,
            self._max_answer_bytes,
            response.pour,
        )

    async def observe(self, route: Route, replica: str) -> Revision:
        await self._get(route, replica, "/health")
        version = await self._get(route, replica, "/version")
        models = await self._get(route, replica, "/v1/models")
        observed = {}
        if isinstance(version, Mapping) and "version" in version:
            observed["engine"] = f"vllm {version['version']}"
        for key in ("id", "root", "max_model_len"):
            value = _served(models, route.model).get(key)
            if value is not None:
                observed[key] = str(value)
        return Revision(route.revision.declared, observed)

    async def load(self, route: Route, replica: str) -> Load | None:
        """Of a server with several engines: all that wait, and the fullest cache."""
        page = await self._page(route, replica, "/metrics") or b""
        try:
            waiting = [float(value) for value in _WAITING.findall(page)]
            usage = [float(value) for value in _KV_USAGE.findall(page)]
            return Load(int(sum(waiting)), max(usage)) if waiting and usage else None
        except (ValueError, OverflowError):
            return None  # not a number

    async def stored(self, route: Route, replica: str, method: Method, path: str) -> Stored | None:
        try:
            response = await self._client.request(method, replica, path, route.headers)
        except OSError as error:
            raise _translated(error, replica) from error
        if response.status in _KEEPS_NONE:
            response.close()
            return None
        if not 200 <= response.status < 300 and response.status not in _ABOUT_THE_RESPONSE:
            raise await _status_error(response, replica)
        try:
            body = await whole_body(response.read, self._max_answer_bytes)
        except OSError as error:
            raise _translated(error, replica) from error
        finally:
            response.close()
        return Stored(response.status, response.headers.get("content-type", "application/json"), body)

    async def close(self) -> None:
        await self._client.close()

    async def _get(self, route: Route, replica: str, path: str) -> Any:
        """The JSON behind ``path``; None where the server is up but has no such page."""
        try:
            return msgspec.json.decode(await self._page(route, replica, path) or b"null")
        except msgspec.DecodeError:
            return None

    async def _page(self, route: Route, replica: str, path: str) -> bytes | None:
        try:
            response = await self._client.request("GET", replica, path, route.headers)
            try:
                if response.status >= 500 and response.status != _NOT_IMPLEMENTED:
                    raise BackendError("status", f"{path} answered {response.status}", status=response.status)
                if response.status != 200:
                    return None
                return await whole_body(response.read, _MAX_PAGE_BYTES)
            finally:
                response.close()
        except OSError as error:
            raise _translated(error, replica) from error


def _served(models: Any, name: str) -> Mapping[str, Any]:
    """The entry for ``name`` in a ``/v1/models`` answer; empty when it has none."""
    entries = models.get("data") if isinstance(models, Mapping) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping) and entry.get("id") == name:
            return entry
    return {}


async def _status_error(response: http1.Response, replica: str) -> BackendError:
    try:
        return BackendError(
            "status",
            f"{replica} answered {response.status}",
            status=response.status,
            body=await error_body(response.read),
            content_type=response.headers.get("content-type", "application/json"),
            retry_after=retry_after_s(response.headers),
        )
    finally:
        response.close()


def _translated(error: OSError, replica: str) -> BackendError:
    return BackendError("refused" if isinstance(error, http1.ConnectFailed) else "broken", f"{replica}: {error}")
