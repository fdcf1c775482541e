"""Claude through Anthropic's Messages API. LiteLLM translates; the connection, the bill and the errors are ours."""

import asyncio
import gc
import logging
import time
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec

from backends.backend import Answer, BackendError, Call, Method
from backends.claude.answer import StreamedMessage, WholeMessage
from backends.claude.completions import StreamedCompletion, WholeCompletion, chat_fields
from backends.claude.http import open_session, translate
from backends.claude.request import chat_arguments, checked_arguments
from backends.claude.responses import StreamedResponse, WholeResponse
from backends.claude.responses_request import responses_fields
from backends.claude.wire import VERSION, MessageReader, openai_body, status_error
from backends.route import Revision, Route
from backends.upstream_http import error_body, retry_after_s, whole_body
from backends.wire_answer import WireAnswer, spliced
from backends.wires import WIRES, not_spoken

log = logging.getLogger("weighbridge.claude")

OBSERVE_EVERY_S = 300.0
_OBSERVE_WITHIN_S = 1.5
_TRANSLATOR = "backends.claude.translator"
_BETA = "anthropic-beta"
_CREDENTIALS = frozenset(("x-api-key", "authorization"))


class ClaudeBackend:
    """``max_answer_bytes`` cuts an endless answer; ``connect_s`` bounds the connect. A replica is the API's address."""

    def __init__(self, *, connect_s: float, max_answer_bytes: int) -> None:
        self._connect_s = connect_s
        self._max_answer_bytes = max_answer_bytes
        self._session: aiohttp.ClientSession | None = None
        self._loading: asyncio.Task[Any] | None = None
        self._seen: dict[tuple[str, str], tuple[float, Mapping[str, str]]] = {}

    async def start(self) -> None:
        """Loads LiteLLM beside the event loop."""
        try:
            await self._translator()
        except BackendError:
            log.exception("LiteLLM cannot be imported; install the extra 'claude' anew")

    async def send(self, route: Route, replica: str, call: Call) -> Answer:
        if call.wire in ("messages", "count_tokens"):
            return await self._forward(route, replica, call)
        if call.wire == "responses":
            return await self._respond(route, replica, call)
        if call.wire == "chat":
            return await self._converse(route, replica, call, chat_arguments(call, route), _AS_CHAT)
        if call.wire == "completions":
            arguments = checked_arguments(chat_fields(call), route)
            return await self._converse(route, replica, call, arguments, _AS_COMPLETION)
        raise not_spoken(call.wire, ("chat", "completions", "responses", "messages", "count_tokens"))

    async def _converse(
        self, route: Route, replica: str, call: Call, arguments: Mapping[str, Any], answers: "_Answers"
    ) -> Answer:
        litellm = await self._translator()
        exchange = _Exchange(self._open(), replica, route.headers, self._max_answer_bytes)
        try:
            if call.stream:
                translator = await litellm.stream(route.model, arguments, exchange.begin_stream)
                return answers.streamed(exchange.taken(), translator, call.include_usage, self._max_answer_bytes)
            return answers.whole(await litellm.whole(route.model, arguments, exchange.whole), exchange.reader)
        except BaseException:
            exchange.close()
            raise

    async def _respond(self, route: Route, replica: str, call: Call) -> Answer:
        """LiteLLM translates the request into the chat wire's words, and those into Claude's."""
        fields = responses_fields(call)
        litellm = await self._translator()
        chat = litellm.responses_as_chat(route.model, fields)
        arguments = checked_arguments(chat.fields, route)
        exchange = _Exchange(self._open(), replica, route.headers, self._max_answer_bytes)
        try:
            if call.stream:
                await litellm.stream(route.model, arguments, exchange.begin_stream)
                return StreamedResponse(exchange.taken(), fields, chat, self._max_answer_bytes)
            await litellm.whole(route.model, arguments, exchange.whole)
            return WholeResponse(exchange.body, exchange.reader, fields, chat)
        except BaseException:
            exchange.close()
            raise

    async def _forward(self, route: Route, replica: str, call: Call) -> Answer:
        """The client speaks Anthropic's own wire: its bytes go through."""
        wire = WIRES[call.wire]
        exchange = _Exchange(self._open(), replica, route.headers, self._max_answer_bytes)
        headers = {"content-type": "application/json", "anthropic-version": VERSION, **call.headers}
        response = await exchange.post(wire.path, msgspec.json.encode(spliced(call, wire, route.model)), headers)
        where = _host(replica)

        async def read() -> bytes:
            try:
                return await response.content.readany()
            except (aiohttp.ClientError, OSError) as error:
                raise translate(error, where, started=True) from error

        content_type = response.headers.get("content-type", "application/json")
        return WireAnswer(wire, False, content_type, read, response.close, where, self._max_answer_bytes)

    async def observe(self, route: Route, replica: str) -> Revision:
        """LiteLLM's version counts too: what it makes of a request can change the answer."""
        observed = {"translator": f"litellm {_litellm_version()}", **await self._listed(route, replica)}
        return Revision(route.revision.declared, observed)

    async def load(self, route: Route, replica: str) -> None:
        """It does not say."""

    async def stored(self, route: Route, replica: str, method: Method, path: str) -> None:
        """Nothing is."""

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _translator(self) -> Any:
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(_load))
        return await asyncio.shield(self._loading)  # whoever waits may leave; the import goes on

    async def _listed(self, route: Route, replica: str) -> Mapping[str, str]:
        """The provider's entry for the model; what was known before, where it is busy or lists nothing."""
        at, known = self._seen.get((replica, route.model), (-OBSERVE_EVERY_S, {}))
        if time.monotonic() - at < OBSERVE_EVERY_S:
            return known
        try:
            async with asyncio.timeout(_OBSERVE_WITHIN_S):
                known = await self._entry(route, replica) or known
        except TimeoutError:
            return known
        except (aiohttp.ClientError, OSError) as error:
            raise translate(error, _host(replica)) from error
        self._seen[replica, route.model] = time.monotonic(), known
        return known

    async def _entry(self, route: Route, replica: str) -> Mapping[str, str] | None:
        url = f"{replica}/v1/models/{quote(route.model, safe='')}"
        headers = {"anthropic-version": VERSION, **route.headers}
        async with self._open().get(url, headers=headers, allow_redirects=False) as response:
            if response.status != 200:
                return None
            try:
                entry = msgspec.json.decode(await whole_body(response.content.readany, 64 * 1024), type=_ModelEntry)
            except (msgspec.DecodeError, BackendError):
                return None
        return {"id": entry.id, "created_at": entry.created_at}

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:  # made on first use: it belongs to the running event loop
            self._session = open_session(self._connect_s)
        return self._session


class _ModelEntry(msgspec.Struct):
    id: str
    """What an alias stands for."""
    created_at: str = ""


class _Answers(NamedTuple):
    """What becomes of an answer in the words of the chat wire."""

    whole: type[WholeMessage]
    streamed: type[StreamedMessage]


_AS_CHAT = _Answers(WholeMessage, StreamedMessage)
_AS_COMPLETION = _Answers(WholeCompletion, StreamedCompletion)


class _Exchange:
    """One POST to Messages, with our address and key instead of those that LiteLLM was given."""

    def __init__(
        self, session: aiohttp.ClientSession, replica: str, headers: Mapping[str, str], max_bytes: int
    ) -> None:
        self.reader = MessageReader()
        self.body = b""
        """Claude's whole message."""
        self._session = session
        self._replica = replica
        self._headers = headers
        self._max_bytes = max_bytes
        self._response: aiohttp.ClientResponse | None = None

    async def whole(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        response = await self._translated(body, headers)
        try:
            answer = await whole_body(response.content.readany, self._max_bytes)
        except (aiohttp.ClientError, OSError) as error:
            where = _host(self._replica)
            raise BackendError("malformed", str(translate(error, where, started=True))) from error
        self.reader.read_whole(answer)
        self.body = answer
        return answer

    async def begin_stream(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        response = await self._translated(body, headers)
        if response.content_type != "text/event-stream":
            raise BackendError("malformed", f"{_host(self._replica)} answered {response.content_type}, not a stream")
        return b""

    def taken(self) -> aiohttp.ClientResponse:
        """The stream that has begun, for its reader to close."""
        assert self._response is not None
        return self._response

    def close(self) -> None:
        if self._response is not None:
            self._response.close()

    async def _translated(self, body: bytes, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Errors in the shape that OpenAI's clients read."""
        try:
            return await self.post(WIRES["messages"].path, body, headers)
        except BackendError as error:
            if error.kind == "status":
                error.body = openai_body(error.body, error.status)
            raise

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Raises ``BackendError``, its body the provider's own."""
        where = _host(self._replica)
        try:
            response = await self._session.post(
                f"{self._replica}{path}",
                data=body,
                headers=_merged(headers, self._headers),
                allow_redirects=False,  # the key goes to the configured address and nowhere else
            )
        except (aiohttp.ClientError, OSError) as error:
            raise translate(error, where) from error
        self._response = response
        if response.status != 200:
            said = await _error_body(response)
            raise status_error(where, response.status, said, retry_after_s(response.headers))
        return response


async def _error_body(response: aiohttp.ClientResponse) -> bytes:
    try:
        return await error_body(response.content.readany)
    except aiohttp.ClientError:
        return b""
    finally:
        response.close()


def _merged(translators: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """Ours go before, but for the betas: an answer may need both."""
    theirs = {name.lower(): value for name, value in translators.items() if name.lower() not in _CREDENTIALS}
    betas = [headers[_BETA] for headers in (theirs, ours) if _BETA in headers]
    return {**theirs, "user-agent": "weighbridge", **ours, **({_BETA: ",".join(betas)} if betas else {})}


def _load() -> Any:
    """The module that imports LiteLLM: the only way to it. Runs in a thread of its own."""
    gc.disable()
    try:
        translator = import_module(_TRANSLATOR)
        translator.warm_up()
    except ImportError as error:
        raise BackendError("broken", f"LiteLLM cannot be imported ({error.name})") from error
    finally:
        gc.freeze()  # it stays: looking at it in a full collection would hold up every request for 0.2 s
        gc.enable()
    return translator


@cache
def _litellm_version() -> str:
    return version("litellm")


def _host(replica: str) -> str:
    return urlsplit(replica).netloc
