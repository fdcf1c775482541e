"""Values that no client means: a clear 400 or 404 in the wire's shape, nothing sent on, and the gateway serves on."""

import json

import pytest

from tests.fixtures.gateway import Gateway
from tests.fixtures.upstream import Upstream

PATHS = {"/v1/chat/completions": "max_tokens", "/v1/responses": "max_output_tokens", "/v1/messages": "max_tokens"}


def post(gateway: Gateway, path: str, body: str) -> tuple[int, str]:
    content = body.encode("utf-8", "surrogatepass")
    answer = gateway.http.post(path, content=content, headers={"content-type": "application/json"})
    assert gateway.http.get("/health/live").status_code == 200
    return answer.status_code, answer.text


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "model",
    [
        "../x",
        "*",
        "sm*",
        "..%2fsmall",
        "small/../away",
        "",
        " small",
        "small\u0000",
        "\u0455mall",
        "sm\u200ball",
        "m" * 10**6,
    ],
)
def test_a_model_is_a_configured_name_or_404(guarded: Gateway, upstream: Upstream, path: str, model: str) -> None:
    body = {"model": model, "messages": [], "input": "x", PATHS[path]: 5}
    status, text = post(guarded, path, json.dumps(body))
    assert status == 404, text[:300]
    assert len(text) < 2_000
    assert upstream.received == []


COUNTS = [
    "-1",
    "-1000000000",
    "1e9",
    "1.5",
    "true",
    "false",
    '"5"',
    "NaN",
    "Infinity",
    "-Infinity",
    "[]",
    "{}",
    "1e400",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", [*COUNTS, "1" + "0" * 40])
def test_a_limit_is_a_whole_number(guarded: Gateway, upstream: Upstream, path: str, value: str) -> None:
    status, text = post(guarded, path, f'{{"model": "small", "messages": [], "input": "x", "{PATHS[path]}": {value}}}')
    assert status == 400, text
    assert upstream.received == []


@pytest.mark.parametrize("name", ["n", "best_of"])
@pytest.mark.parametrize("value", [*COUNTS, "0", "129", "1000000000", "1" + "0" * 40])
def test_so_many_answers_are_not_made(guarded: Gateway, upstream: Upstream, name: str, value: str) -> None:
    status, text = post(guarded, "/v1/completions", f'{{"model": "small", "prompt": "x", "{name}": {value}}}')
    assert status == 400, text
    assert upstream.received == []


@pytest.mark.parametrize("value", ["null", "1", "128"])
def test_what_is_usual_passes_as_it_came(guarded: Gateway, upstream: Upstream, value: str) -> None:
    status, text = post(guarded, "/v1/chat/completions", f'{{"model": "small", "messages": [], "n": {value}}}')
    assert status == 200, text
    assert upstream.received[0].json["n"] == json.loads(value)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "nan", "0x10", "1_000", "01", "+1", "'a'", "\u00a0"])
def test_what_is_no_json_goes_nowhere(guarded: Gateway, upstream: Upstream, value: str) -> None:
    status, text = post(
        guarded, "/v1/chat/completions", f'{{"model": "small", "messages": [], "temperature": {value}}}'
    )
    assert status == 400, text
    assert upstream.received == []


def test_of_a_name_that_comes_twice_the_last_counts_everywhere(guarded: Gateway, upstream: Upstream) -> None:
    """A server behind us that takes the first would otherwise see another request than we did."""
    twice = '{"model": "nope", "max_tokens": 5, "model": "small", "messages": [], "max_tokens": 6}'
    assert post(guarded, "/v1/chat/completions", twice)[0] == 200
    assert upstream.received[0].body.count(b'"max_tokens"') == 1
    assert upstream.received[0].json["max_tokens"] == 6
    assert upstream.received[0].json["model"] == "m"


@pytest.mark.parametrize("depth", [2_000, 100_000])
def test_deep_nesting_is_refused(guarded: Gateway, upstream: Upstream, depth: int) -> None:
    nested = '{"content":[' * depth + '{"image_url":"data:"}' + "]}" * depth
    status, text = post(guarded, "/v1/chat/completions", f'{{"model": "small", "messages": [{nested}]}}')
    assert status == 400, text
    assert upstream.received == []


def test_a_million_names_are_refused_or_read(guarded: Gateway, upstream: Upstream) -> None:
    body = "{" + "".join(f'"k{number}":1,' for number in range(250_000)) + '"model": "nope"}'
    assert len(body) < 3_000_000
    status, text = post(guarded, "/v1/chat/completions", body)
    assert status in (400, 404), text
    assert upstream.received == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "name", ["stream", "stream_options", "background", "tools", "temperature", "metadata", "system"]
)
def test_a_number_that_no_machine_has_room_for_is_no_accident(
    guarded: Gateway, upstream: Upstream, path: str, name: str
) -> None:
    status, text = post(guarded, path, f'{{"model": "small", "messages": [], "input": "x", "{name}": [1e400]}}')
    assert status != 500, text
    status, text = post(guarded, path, f'{{"model": "auto", "messages": [{{"role": 1e400}}], "{name}": 1e400}}')
    assert status != 500, text
