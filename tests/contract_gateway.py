"""A small real HTTP server that keeps the gateway's contract with its clients, and can be told to fail like one."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

Fault = Literal["error_event", "cut", "whole"]


@dataclass
class Status:
    """Answer with an error status instead."""

    code: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class ContractGateway:
    """``answer`` gets the user message; ``fault`` the message and how often it was asked before."""

    answer: Callable[[str], str]
    fault: Callable[[str, int], Fault | Status | None] = lambda message, before: None
    cache: Callable[[str, int], str] = lambda message, before: "miss"
    route: Callable[[str], str] = lambda message: "llama"
    is_gateway: bool = True
    revisions: dict[str, str] = field(default_factory=lambda: {"llama": "aaaabbbbcccc", "mixtral": "ddddeeeeffff"})
    policies: tuple[str, ...] = ("auto",)
    key: str | None = None
    delay_s: float = 0.0
    hold_after: int | None = None
    """Later chat requests than so many get no answer until this is None again."""
    cost_nanousd: int | None = 1_000
    takes_scorecards: bool = True
    models_status: int = 200
    asked: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    posted: list[dict[str, Any]] = field(default_factory=list)
    base_url: str = ""
    in_flight: int = 0
    most_in_flight: int = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        if self.is_gateway:
            app.router.add_get("/v1/models", self._models)
            app.router.add_get("/v1/requests/{id}", self._request)
            app.router.add_post("/v1/scorecards", self._scorecards)
        return app

    async def _models(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        if self.models_status != 200:
            return web.json_response({"error": {"message": "starting"}}, status=self.models_status)
        routes = [
            {"id": name, "weighbridge": {"kind": "route", "revision": rev}} for name, rev in self.revisions.items()
        ]
        policies = [{"id": name, "weighbridge": {"kind": "policy"}} for name in self.policies]
        return web.json_response({"object": "list", "data": routes + policies})

    async def _request(self, request: web.Request) -> web.Response:
        row = {"id": request.match_info["id"], "outcome": "ok", "cost_nanousd": self.cost_nanousd, "attempts": [{}]}
        return web.json_response(row)

    async def _scorecards(self, request: web.Request) -> web.Response:
        if not self.takes_scorecards:
            return web.json_response({"error": {"message": "no room"}}, status=503)
        self.posted += (await request.json())["scorecards"]
        return web.json_response({"accepted": 1}, status=201)

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            return web.json_response({"error": {"message": "wrong key, write the right one"}}, status=401)
        return None

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return self._refusal(request) or await self._answered(request)
        finally:
            self.in_flight -= 1

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        message = body["messages"][-1]["content"]
        before = self.asked[message]
        self.asked[message] += 1
        self.bodies.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        number = len(self.bodies)
        await asyncio.sleep(self.delay_s)
        while self.hold_after is not None and number > self.hold_after:  # noqa: ASYNC110 (set by another thread)
            await asyncio.sleep(0.01)
        fault = self.fault(message, before)
        headers = self._facts(body["model"], message, before)
        if isinstance(fault, Status):
            error = {"error": {"message": f"the server says {fault.code}"}}
            return web.json_response(error, status=fault.code, headers={**headers, **fault.headers})
        text = self.answer(message)
        if fault == "whole":
            choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 7, "completion_tokens": 3}
            return web.json_response({"choices": [choice], "usage": usage}, headers=headers)
        return await self._stream(request, text, headers, fault)

    def _facts(self, model: str, message: str, before: int) -> dict[str, str]:
        if not self.is_gateway:
            return {}
        route = self.route(message) if model in self.policies else model
        return {
            "x-weighbridge-route": route,
            "x-weighbridge-revision": self.revisions.get(route, ""),
            "x-weighbridge-policy": model if model in self.policies else "",
            "x-weighbridge-request-id": f"r{len(self.bodies)}",
            "x-weighbridge-cache": self.cache(message, before),
        }

    async def _stream(
        self, request: web.Request, text: str, headers: dict[str, str], fault: str | None
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream", **headers})
        await response.prepare(request)
        await response.write(b": waiting\n\n")
        half = len(text) // 2
        await response.write(_event({"choices": [{"delta": {"role": "assistant", "content": ""}}]}))
        await response.write(_event({"choices": [{"delta": {"content": text[:half]}}]}))
        if fault == "cut":
            assert request.transport is not None
            request.transport.abort()
            return response
        if fault == "error_event":
            await response.write(_event({"error": {"message": "upstream broke"}}))
            return response
        await response.write(_event({"choices": [{"delta": {"content": text[half:]}, "finish_reason": None}]}))
        await response.write(_event({"choices": [{"delta": {}, "finish_reason": "stop"}]}))
        await response.write(_event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}))
        await response.write(b"data: [DONE]\n\n")
        return response

    @contextmanager
    def running(self) -> Iterator["ContractGateway"]:
        """Serves in a thread of its own, so that a test may kill or await its client at will."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        runner = web.AppRunner(self.app(), shutdown_timeout=1)
        try:
            port = asyncio.run_coroutine_threadsafe(_listen(runner), loop).result(60)
            self.base_url = f"http://127.0.0.1:{port}/v1"
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(60)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(60)
            loop.close()


async def _listen(runner: web.AppRunner) -> int:
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return int(runner.addresses[0][1])


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"
