"""Generation, streamed and whole, whichever wire the client speaks."""

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from backends.backend import TRACE_HEADERS, Call
from gateway.api.addresses import check_addresses
from gateway.api.body import check_keys, decode_fields
from gateway.api.counts import check_counts
from gateway.api.http import Headers, Receive, Scope, Send, header, read_body, respond
from gateway.api.keep_alive import KeepAlive
from gateway.api.wire import ClientWire
from gateway.keys.tenants import refuse_others
from gateway.limiting.standing import Standing, headers_of
from gateway.limits import Limits
from gateway.pipeline.account import new_request_id
from gateway.pipeline.cache_control import CacheControl
from gateway.pipeline.passage import Asked, Departure, Passage
from gateway.pipeline.pipeline import Pipeline
from gateway.pipeline.session import session_id
from gateway.pipeline.turns import Turns
from gateway.problem import ClientLeft, Problem
from gateway.routing.request_needs import needs_of
from gateway.telemetry.observer import Observation, Observer
from policies.languages import canonical
from policies.request import RequestTraits

log = logging.getLogger("weighbridge.generation")

_BYTES_PER_TOKEN = 4
_TOKENS_PER_FILE = 1600  # about what the largest image comes to, however many bytes it has
_FILE = re.compile(rb";base64,[^\"]*")
_TRACE_HEADERS = tuple(name.encode() for name in TRACE_HEADERS)
_NO_STORE = CacheControl(read=False, write=False)


class Generation:
    """An ASGI endpoint: a framework's request and response objects would cost as much as the rest of the road."""

    def __init__(self, wire: ClientWire, pipeline: Pipeline, observer: Observer, limits: Limits, turns: Turns) -> None:
        self._wire = wire
        self._turns = turns
        self._pipeline = pipeline
        self._observer = observer
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        departure = Departure()
        observation = self._observer.begin(scope["headers"], self._wire.name)
        request_id = ""
        try:
            self._turns.check(scope["weighbridge.tenant"])
            body = await read_body(scope, receive, self._limits.max_body_bytes, self._limits.receive_s)
            observation.received(scope["weighbridge.tenant"], body)
            asked = parse(self._wire, scope, body, self._limits.media_hosts)
            request_id = asked.id
            alive = KeepAlive(scope, send, self._wire.keep_alive, self._limits.keep_alive_s)
            watch = asyncio.create_task(_watch(receive, departure))
            try:
                await self._in_turn(asked, departure, observation, send, alive)
            finally:
                alive.stop()
                watch.cancel()
        except Problem as problem:
            observation.failed(problem)
            status, headers, said = self._wire.refuse(problem)
            await respond(send, status, headers + _tried(problem, request_id) + self._limits_of(problem.standing), said)
        except ClientLeft:
            pass  # there is nobody to tell; the ledger knows
        except Exception:
            log.exception("a request failed inside the gateway", extra={"wire": self._wire.name})
            raise  # the server answers 500, or cuts a stream that has begun
        finally:
            observation.ended()

    async def _in_turn(
        self, asked: Asked, departure: Departure, observation: Observation, send: Send, alive: KeepAlive
    ) -> None:
        if not self._turns.take():
            await self._turns.wait(asked.tenant, departure)
        try:
            if asked.call.stream and self._wire.keep_alive:
                alive.start(asked.id)
            await self._answer(asked, departure, observation, send, alive)
        finally:
            self._turns.give_back()

    async def _answer(
        self, asked: Asked, departure: Departure, observation: Observation, send: Send, alive: KeepAlive
    ) -> None:
        try:
            passage = await self._pipeline.enter(asked, departure, observation)
            try:
                if passage.head.streamed:
                    await _stream(passage, send, alive)
                else:
                    await _whole(passage, send, alive)
            finally:
                self._pipeline.close(passage)
        except Problem as problem:
            alive.stop()
            if not alive.began:
                raise
            observation.failed(problem)
            await send({"type": "http.response.body", "body": self._wire.error_event(problem), "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    def _limits_of(self, standing: Standing | None) -> Headers:
        return headers_of(standing, self._wire.name) if standing is not None else []


def parse(wire: ClientWire, scope: Scope, body: bytes, media_hosts: Sequence[str] = ()) -> Asked:
    """Just enough of the body to travel on; the rest stays as it came. Raises ``Problem`` 400."""
    check_keys(body)
    try:
        fields = decode_fields(body)
        if not body.isascii():
            body.decode()  # fields are taken as they came, and not every reader of them looks
        if "model" not in fields:
            raise Problem(400, "missing_model", "the request names no 'model'", param="model")
        check_counts(fields)
        links = check_addresses(fields, media_hosts)
        return _asked(wire, scope, body, fields, links=links)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "invalid_json", f"the request's body is not JSON of this endpoint: {error}") from error


def _asked(wire: ClientWire, scope: Scope, body: bytes, fields: dict[str, msgspec.Raw], *, links: bool) -> Asked:
    """Raises ``msgspec.DecodeError``, also for a number that no machine has room for; ``Problem`` 404."""
    model = msgspec.json.decode(fields["model"], type=str)
    stream = _is(fields, "stream", True)
    wanted = _TRACE_HEADERS + wire.forwarded
    headers = {name.decode(): value for name in wanted if (value := header(scope, name)) is not None}
    wants_usage = stream and wire.has_stream_options and _wants_usage(fields)
    session, tenant = session_id(scope["headers"], fields), scope["weighbridge.apart"]
    call = Call(wire.name, fields, stream, wants_usage, headers, session, tenant)
    refuse_others(call)
    unkept = _is(fields, "background", True)  # a ticket for an answer, not the answer
    cache = _NO_STORE if unkept else CacheControl.parse(header(scope, b"cache-control"))
    traits = _traits(wire, scope, fields, body)
    if links:
        traits = replace(traits, needs=traits.needs | {"linked_media"})
    return Asked(new_request_id(), scope["weighbridge.tenant"], model, call, traits, cache, scope["weighbridge.key"])


def _input_tokens(body: bytes) -> int:
    """An estimate. Images and files within the text are not text."""
    files = _FILE.findall(body) if b";base64," in body else ()
    return (len(body) - sum(map(len, files))) // _BYTES_PER_TOKEN + len(files) * _TOKENS_PER_FILE


def _traits(wire: ClientWire, scope: Scope, fields: dict[str, msgspec.Raw], body: bytes) -> RequestTraits:
    limits = (_integer(fields, name) for name in wire.output_limits)
    most = next((limit for limit in limits if limit is not None), None)
    language = header(scope, b"x-weighbridge-language")
    spoken = canonical(language) if language else None
    return RequestTraits(_input_tokens(body), most, spoken, needs_of(fields, body))


def _wants_usage(fields: dict[str, msgspec.Raw]) -> bool:
    options = msgspec.json.decode(fields["stream_options"]) if "stream_options" in fields else None
    return isinstance(options, dict) and options.get("include_usage") is True


def _is(fields: dict[str, msgspec.Raw], name: str, value: object) -> bool:
    return name in fields and msgspec.json.decode(fields[name]) is value


def _integer(fields: dict[str, msgspec.Raw], name: str) -> int | None:
    value = msgspec.json.decode(fields[name]) if name in fields else None
    return value if type(value) is int else None


async def _watch(receive: Receive, departure: Departure) -> None:
    """After the body, the only message that can come is that the client left."""
    while (await receive())["type"] != "http.disconnect":
        pass
    departure.leave()


async def _stream(passage: Passage, send: Send, alive: KeepAlive) -> None:
    """Raises ``Problem`` where the answer breaks off."""
    alive.follow(passage.reader)
    if not alive.began:
        alive.began = True
        await send({"type": "http.response.start", "status": 200, "headers": _headers(passage)})
    while chunk := await passage.reader.read():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    alive.stop()
    await send({"type": "http.response.body", "body": b""})


async def _whole(passage: Passage, send: Send, alive: KeepAlive) -> None:
    await passage.reader.finished()
    if passage.reader.left:
        raise ClientLeft
    alive.stop()
    if alive.began:
        raise Problem(502, "upstream_broken", "The model server's answer broke: it is no stream, as was asked for.")
    flight = passage.reader.flight
    if flight.problem is not None:
        raise flight.problem
    cost = 0 if passage.cache == "shared" else flight.cost_nanousd or 0
    headers = [*_headers(passage), (b"x-weighbridge-cost-nanousd", str(cost).encode())]
    await respond(send, 200, headers, b"".join(flight.pieces))


def _tried(problem: Problem, request_id: str) -> Headers:
    """Nothing for a request that went nowhere: the ledger does not know it either."""
    if problem.route is None:
        return []
    route = (b"x-weighbridge-route", problem.route.encode())
    return [route, *((name, request_id.encode()) for name in (b"x-weighbridge-request-id", b"x-request-id"))]


def _headers(passage: Passage) -> Headers:
    route = passage.head.route
    request_id = passage.account.id.encode()
    headers = [
        (b"content-type", passage.head.content_type.encode("latin-1", "replace")),
        (b"x-weighbridge-route", route.name.encode()),
        (b"x-weighbridge-revision", route.revision.id.encode()),
        (b"x-weighbridge-policy", passage.account.policy.encode()),
        (b"x-weighbridge-request-id", request_id),
        (b"x-request-id", request_id),
        (b"x-weighbridge-cache", passage.cache.encode()),
    ]
    if passage.head.dropped_tools:
        headers.append((b"x-weighbridge-dropped-tools", ", ".join(passage.head.dropped_tools).encode()))
    if passage.head.verify is not None:
        headers.append((b"x-weighbridge-verify", passage.head.verify.encode()))
    if passage.account.hold is not None and passage.account.hold.standing is not None:
        headers += headers_of(passage.account.hold.standing, passage.account.wire)
    if passage.age_s is not None:
        headers.append((b"age", str(passage.age_s).encode()))
    if passage.head.streamed:
        headers.append((b"cache-control", b"no-store"))
    return headers
