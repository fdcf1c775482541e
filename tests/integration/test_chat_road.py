"""One chat request on the whole road: client, gateway processes, upstream, cache, ledger."""

import json
import threading

import httpx

from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, posted
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import LONG_S, eventually


def in_flight(gateway: Gateway) -> float:
    lines = gateway.http.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("weighbridge_requests_in_flight "))


def events(text: str) -> list[str]:
    return [line[6:] for line in text.split("\n\n") if line.startswith("data: ")]


def test_a_whole_answer_comes_as_it_is_with_usage_headers_and_a_ledger_row(
    gateway: Gateway, upstream: Upstream
) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    answer = gateway.chat("hi", tools=tools, an_unknown_field={"deep": [1.0, 1e3]}, n=1)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "hello there"
    sent = upstream.received[0].json
    assert sent["model"] == "m"
    assert sent["tools"] == tools
    assert b'"an_unknown_field":{"deep":[1.0,1000.0]}' in upstream.received[0].body.replace(b" ", b"")
    assert answer.headers["x-weighbridge-route"] == "small"
    assert answer.headers["x-weighbridge-policy"] == "pinned"
    assert answer.headers["x-weighbridge-cache"] == "miss"
    assert answer.headers["x-weighbridge-cost-nanousd"] == str(7 * 1000 + 2 * 2000)
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    written = {"cache_write_tokens": 0, "cache_write_1h_tokens": 0}
    assert row["usage"] == {"input_tokens": 7, "output_tokens": 2, "cached_input_tokens": 0, **written}
    assert (row["usage_source"], row["cost_nanousd"], row["outcome"]) == ("provider", 11_000, "ok")
    assert [attempt["outcome"] for attempt in row["attempts"]] == ["ok"]


def test_a_stream_is_forwarded_and_the_usage_chunk_only_when_asked(gateway: Gateway, upstream: Upstream) -> None:
    plain = gateway.chat("a", stream=True)
    assert upstream.received[0].json["stream_options"] == {"include_usage": True}
    assert [json.loads(e)["choices"] != [] for e in events(plain.text)[:-1]] == [True, True, True]
    assert events(plain.text)[-1] == "[DONE]"
    asked = gateway.chat("a", stream=True, stream_options={"include_usage": True})
    assert json.loads(events(asked.text)[-2])["usage"]["completion_tokens"] == 2
    row = gateway.ledger(plain.headers["x-weighbridge-request-id"])
    assert (row["usage_source"], row["usage"]["output_tokens"], row["streamed"]) == ("provider", 2, True)


def test_an_alias_and_a_policy_lead_to_the_route(gateway: Gateway) -> None:
    for model in ("auto", "gpt-4o"):
        answer = gateway.chat("hi", model=model, headers={"cache-control": "no-store"})
        assert (answer.headers["x-weighbridge-route"], answer.headers["x-weighbridge-policy"]) == ("small", "auto")


def test_the_same_request_again_is_a_hit_in_its_own_form(gateway: Gateway, upstream: Upstream) -> None:
    first, again = gateway.chat("hi", user="me"), gateway.chat("hi", user="you")
    assert (first.headers["x-weighbridge-cache"], again.headers["x-weighbridge-cache"]) == ("miss", "hit")
    assert again.content == first.content
    assert int(again.headers["age"]) >= 0
    assert again.headers["x-weighbridge-cost-nanousd"] == "0"
    streamed = gateway.chat("hi", stream=True)
    assert streamed.headers["x-weighbridge-cache"] == "miss"
    replayed = gateway.chat("hi", stream=True)
    assert replayed.headers["x-weighbridge-cache"] == "hit"
    assert replayed.content == streamed.content
    assert len(upstream.received) == 2
    row = gateway.ledger(again.headers["x-weighbridge-request-id"])
    assert (row["cache"], row["cost_nanousd"], row["attempts"]) == ("hit", 0, [])


def test_cache_control_is_obeyed(gateway: Gateway, upstream: Upstream) -> None:
    no_store = {"cache-control": "no-store"}
    assert gateway.chat("hi", headers=no_store).headers["x-weighbridge-cache"] == "bypass"
    assert gateway.chat("hi", headers=no_store).headers["x-weighbridge-cache"] == "bypass"
    assert gateway.chat("hi").headers["x-weighbridge-cache"] == "miss"
    assert gateway.chat("hi", headers={"cache-control": "no-cache"}).headers["x-weighbridge-cache"] == "miss"
    assert gateway.chat("hi", headers={"cache-control": "max-age=3600"}).headers["x-weighbridge-cache"] == "hit"
    assert len(upstream.received) == 4


def test_another_question_is_another_answer(gateway: Gateway, upstream: Upstream) -> None:
    for fields in ({"temperature": 0}, {"temperature": 1}, {"seed": 1}, {"messages": []}):
        assert gateway.chat("hi", **fields).headers["x-weighbridge-cache"] == "miss"
    assert len(upstream.received) == 4


def ask_streamed(gateway: Gateway, content: str, answers: list[httpx.Response]) -> None:
    """The answer is in ``answers`` when it has begun, and whole when this returns."""
    body = {"model": "small", "stream": True, "messages": gateway.messages(content)}
    with gateway.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        answers.append(answer)
        answer.read()


def test_requests_at_the_same_time_share_one_flight_and_its_bill(gateway: Gateway, upstream: Upstream) -> None:
    go = threading.Event()
    end = (up.event(up.chunk("", finish="stop")), up.event("[DONE]"))
    upstream.behaviour = up.streams_held(up.event(up.chunk("slow")), go, *end)
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=ask_streamed, args=(gateway, "x", answers)) for _ in range(3)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(answers) == 3)
    go.set()
    for thread in threads:
        thread.join()
    assert sorted(a.headers["x-weighbridge-cache"] for a in answers) == ["miss", "shared", "shared"]
    assert len({a.content for a in answers}) == 1
    assert len(upstream.received) == 1
    costs = {a.headers["x-weighbridge-cache"]: a.headers["x-weighbridge-request-id"] for a in answers}
    assert gateway.ledger(costs["shared"])["cost_nanousd"] == 0
    assert gateway.ledger(costs["miss"])["cost_nanousd"] > 0


def test_a_client_that_leaves_stops_the_upstream_and_is_billed(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = up.streams(*[up.event(up.chunk("word"))] * 1000, pause_s=0.05)
    body = {"model": "small", "stream": True, "messages": gateway.messages("go on")}
    with gateway.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        parts = answer.iter_bytes()
        next(parts)
        request_id = answer.headers["x-weighbridge-request-id"]
    assert upstream.received[0].gone.wait(20)
    row = gateway.ledger(request_id)
    assert (row["outcome"], row["status"], row["usage_source"]) == ("client_left", 499, "estimated")
    assert row["usage"]["output_tokens"] >= 1
    upstream.behaviour = up.says("done")
    assert gateway.chat("go on", stream=True).headers["x-weighbridge-cache"] == "miss"


def test_a_client_that_leaves_before_the_first_token_stops_the_upstream(gateway: Gateway, upstream: Upstream) -> None:
    async def stall(_: up.Received, __: object) -> None:
        await up.asyncio.sleep(300)

    upstream.behaviour = stall
    with posted(gateway, {"model": "small", "messages": gateway.messages("x")}):
        upstream.wait_for(1)
        assert not upstream.received[0].gone.wait(0.1)
    assert upstream.received[0].gone.wait(LONG_S)


def test_a_reader_who_stays_keeps_the_flight(gateway: Gateway, upstream: Upstream) -> None:
    go = threading.Event()
    word = up.event(up.chunk("word"))
    end = (up.event(up.chunk(finish="stop")), up.event("[DONE]"))
    upstream.behaviour = up.streams_held(word, go, *[word] * 19, *end)
    body = {"model": "small", "stream": True, "messages": gateway.messages("hi")}
    stayed: list[httpx.Response] = []
    with gateway.http.stream("POST", "/v1/chat/completions", json=body) as leaver:
        parts = leaver.iter_bytes()
        next(parts)
        reader = threading.Thread(target=ask_streamed, args=(gateway, "hi", stayed))
        reader.start()
        eventually(lambda: stayed)
        leader = leaver.headers["x-weighbridge-request-id"]
    eventually(lambda: in_flight(gateway) == 1)
    go.set()
    reader.join()
    assert stayed[0].headers["x-weighbridge-cache"] == "shared"
    assert events(stayed[0].text)[-1] == "[DONE]"
    assert not upstream.received[0].gone.is_set()
    assert gateway.ledger(leader)["usage"]["output_tokens"] == 20


def test_fragments_comments_and_line_ends_pass_unchanged(gateway: Gateway, upstream: Upstream) -> None:
    whole = b": thinking\n\n" + up.event(up.chunk("a")).replace(b"\n", b"\r\n") + up.event(up.chunk("b", finish="stop"))
    whole += up.event("[DONE]")
    upstream.behaviour = up.streams(*[whole[at : at + 7] for at in range(0, len(whole), 7)])
    assert gateway.chat("hi", stream=True).content == whole


def test_a_missing_end_mark_is_made_good(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = up.streams(up.event(up.chunk("a", finish="stop")))
    assert events(gateway.chat("hi", stream=True).text)[-1] == "[DONE]"


def test_trace_context_reaches_the_upstream_and_credentials_do_not(gateway: Gateway, upstream: Upstream) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    gateway.chat("hi", headers={"traceparent": trace, "authorization": "Bearer canary", "cookie": "canary"})
    assert upstream.received[0].headers["traceparent"] == trace
    assert "canary" not in str(upstream.received[0].headers)


def test_clients_that_leave_at_once_leave_nothing_behind(gateway: Gateway, upstream: Upstream) -> None:
    for _ in range(100):
        with posted(gateway, {"model": "small", "messages": gateway.messages("hi")}):
            pass
    assert gateway.chat("hi").status_code == 200
    eventually(lambda: in_flight(gateway) == 0)
