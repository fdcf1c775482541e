"""The revision of a Claude route, observed at a real server; LiteLLM is not loaded for it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from backends.backend import BackendError
from backends.claude.backend import ClaudeBackend
from backends.price import Price
from backends.route import Revision, Route

ENTRY = {"id": "claude-x-20260101", "type": "model", "display_name": "X", "created_at": "2026-01-01T00:00:00Z"}


@dataclass
class Provider:
    status: int = 200
    body: object = field(default_factory=lambda: ENTRY)
    asked: list[web.Request] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        return web.json_response(self.body, status=self.status, headers={"location": f"{self.url}/elsewhere"})


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    app = web.Application()
    app.router.add_get("/{path:.*}", provider.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.url = "http://{}:{}".format(*runner.addresses[0])
    yield provider
    await runner.cleanup()


@pytest.fixture
async def backend() -> AsyncIterator[ClaudeBackend]:
    backend = ClaudeBackend(connect_s=5, max_answer_bytes=1000)
    yield backend
    await backend.close()


def route(url: str) -> Route:
    return Route("c", "claude", "claude-x", Price(), (url,), revision=Revision("mine"), headers={"x-api-key": "k"})


async def test_what_an_alias_stands_for_and_what_translates(provider: Provider, backend: ClaudeBackend) -> None:
    revision = await backend.observe(route(provider.url), provider.url)
    assert revision.declared == "mine"
    assert revision.observed.keys() == {"translator", "id", "created_at"}
    assert revision.observed["id"] == "claude-x-20260101"
    assert provider.asked[0].path == "/v1/models/claude-x"
    headers = provider.asked[0].headers
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("k", "2023-06-01")


async def test_the_environments_proxy_is_the_way_out(
    provider: Provider, backend: ClaudeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", provider.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    await backend.observe(route("http://claude.invalid"), "http://claude.invalid")
    assert provider.asked[0].headers["host"] == "claude.invalid"


async def test_it_is_asked_for_once_in_a_while(provider: Provider, backend: ClaudeBackend) -> None:
    first = await backend.observe(route(provider.url), provider.url)
    provider.status = 500
    assert await backend.observe(route(provider.url), provider.url) == first
    assert len(provider.asked) == 1


@pytest.mark.parametrize("status", [302, 401, 403, 404, 429, 500, 529])
async def test_a_provider_that_does_not_list_it_serves_all_the_same(
    provider: Provider, backend: ClaudeBackend, status: int
) -> None:
    provider.status = status
    assert (await backend.observe(route(provider.url), provider.url)).observed.keys() == {"translator"}
    assert len(provider.asked) == 1  # no redirect is followed: the key goes nowhere else


@pytest.mark.parametrize("body", [[], {"data": []}, "x", {"id": 1}, {"id": "x" * 100_000}])
async def test_what_is_no_entry_counts_as_none(provider: Provider, backend: ClaudeBackend, body: object) -> None:
    provider.body = body
    assert (await backend.observe(route(provider.url), provider.url)).observed.keys() == {"translator"}


async def test_a_provider_that_is_not_there_is_down(backend: ClaudeBackend) -> None:
    with pytest.raises(BackendError) as caught:
        await backend.observe(route("http://127.0.0.1:9"), "http://127.0.0.1:9")
    assert caught.value.kind == "refused" and "127.0.0.1:9" in str(caught.value)
