"""The real thing: vLLM with real weights, alone and behind the gateway that `make run` serves."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gateway.keys.tenants import Tenants
from tests.fixtures.gateway import WEIGHBRIDGE, Serve
from tests.fixtures.keys import KEYS, OWN_KEY, Admin
from tests.fixtures.vllm import VllmServer

DEMO = Path(__file__).parents[2] / "deploy/demo.yaml"
QUESTION = "Write a Python function add(a, b) that returns the sum of a and b."
SYSTEM = {"role": "system", "content": "You are a programmer of few words."}
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "strict": True,  # without it vLLM lets a model answer any JSON at all
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def question(model: str, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": QUESTION}]
    return {"model": model, "messages": messages, "temperature": 0, "max_tokens": 200, **fields}


def ask(base_url: str, body: dict[str, Any]) -> httpx.Response:
    return httpx.post(f"{base_url}/v1/chat/completions", json=body, timeout=120, trust_env=False).raise_for_status()


def content(answer: httpx.Response) -> str:
    return str(answer.json()["choices"][0]["message"]["content"])


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    """The stream's chunks; the last line must be its mark."""
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def streamed_content(chunks: list[dict[str, Any]]) -> str:
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])


def test_it_serves_the_model_by_its_name(vllm_server: VllmServer) -> None:
    (model,) = httpx.get(f"{vllm_server.base_url}/v1/models", timeout=60, trust_env=False).json()["data"]
    assert model["id"] == vllm_server.model
    assert model["max_model_len"] == 4096


PARSE = """
import sys
from vllm.entrypoints.cli.serve import ServeSubcommand
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = FlexibleArgumentParser()
ServeSubcommand().subparser_init(parser.add_subparsers())
for line in sys.stdin:
    args = parser.parse_args(line.split())
    print(args.tensor_parallel_size, args.max_model_len, [module.name for module in args.lora_modules])
"""


def test_vllm_itself_accepts_the_flags_of_the_gpu_presets(vllm_server: VllmServer) -> None:
    lines = []
    for name in ("llama-3.1-70b", "mixtral-8x22b"):
        words = [WEIGHBRIDGE, "vllm", "launch", name, "--dry-run", "--json", "--lora", "one=/a", "--lora", "two=/b"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        command = json.loads(done.stdout)["command"]
        lines.append(" ".join(command[command.index("serve") :]))
    parsed = subprocess.run(
        [vllm_server.python, "-c", PARSE], input="\n".join(lines), capture_output=True, text=True, check=False
    )
    assert parsed.returncode == 0, parsed.stderr
    assert parsed.stdout.splitlines()[-2:] == ["4 128000 ['one', 'two']", "4 64000 ['one', 'two']"]


def test_the_code_that_it_writes_is_right(vllm_server: VllmServer) -> None:
    """Weights, tokenizer and template were converted by us: a fault in one of them makes babble."""
    fenced = re.search(
        r"```python\n(.*?)```", content(ask(vllm_server.base_url, question(vllm_server.model))), re.DOTALL
    )
    assert fenced is not None
    program = fenced[1] + "\nprint(add(2, 3))"
    ran = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=100, check=True)
    assert ran.stdout.splitlines()[-1] == "5"


def test_at_temperature_zero_it_repeats_itself_streamed_or_not(vllm_server: VllmServer) -> None:
    body = question(vllm_server.model)
    first, again = ask(vllm_server.base_url, body), ask(vllm_server.base_url, body)
    streamed = events(ask(vllm_server.base_url, {**body, "stream": True, "stream_options": {"include_usage": True}}))
    assert content(first) == content(again) == streamed_content(streamed)
    assert first.json()["usage"]["completion_tokens"] == streamed[-1]["usage"]["completion_tokens"] > 10


def test_a_named_tool_is_called(vllm_server: VllmServer) -> None:
    choice = {"type": "function", "function": {"name": "weather"}}
    body = question(vllm_server.model, tools=[TOOL], tool_choice=choice, max_tokens=60)
    (call,) = ask(vllm_server.base_url, body).json()["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "weather"
    assert list(json.loads(call["function"]["arguments"])) == ["city"]


@pytest.fixture
def demo(vllm_server: VllmServer) -> dict[str, Any]:
    """The configuration of `make run`, with this server."""
    text = re.sub(r"\$\{VLLM_BASE_URL[^}]*\}", vllm_server.base_url, DEMO.read_text())
    config: dict[str, Any] = yaml.safe_load(text)
    return config


def test_behind_the_gateway_it_answers_the_same_and_the_second_time_from_the_cache(
    demo: dict[str, Any], serve: Serve, vllm_server: VllmServer
) -> None:
    gateway = serve(demo)
    direct = ask(vllm_server.base_url, question(vllm_server.model))
    first, again = (ask(gateway.url, question("auto")) for _ in range(2))
    assert content(first) == content(direct) == content(again)
    assert first.json()["usage"]["completion_tokens"] == direct.json()["usage"]["completion_tokens"]
    assert first.headers["x-weighbridge-route"] == "smollm2-135m"
    assert (first.headers["x-weighbridge-cache"], again.headers["x-weighbridge-cache"]) == ("miss", "hit")
    row = gateway.ledger(first.headers["x-weighbridge-request-id"])
    assert row["usage_source"] == "provider"


def test_streamed_through_the_gateway_it_says_the_same(
    demo: dict[str, Any], serve: Serve, vllm_server: VllmServer
) -> None:
    gateway = serve(demo)
    chunks = events(ask(gateway.url, question("smollm2-135m", stream=True)))
    assert all(chunk["choices"] for chunk in chunks)  # usage was not asked for
    assert streamed_content(chunks) == content(ask(vllm_server.base_url, question(vllm_server.model)))


def test_one_conversation_is_answered_alike_on_every_wire(
    demo: dict[str, Any], serve: Serve, vllm_server: VllmServer
) -> None:
    """Turn after turn, each wire with what was said on it before: the same text, and the same tokens counted."""
    gateway = serve({**demo, "cache": {"enabled": False}})
    greedy = {"model": "smollm2-135m", "temperature": 0}

    def post(path: str, **fields: Any) -> dict[str, Any]:
        answer = gateway.http.post(path, json={**greedy, **fields}, timeout=120)
        return dict(answer.raise_for_status().json())

    turns: list[dict[str, str]] = []
    for said in (QUESTION, "Now write one that multiplies them.", "Which of the two did I ask for first?"):
        turns.append({"role": "user", "content": said})
        chat = post("/v1/chat/completions", messages=[SYSTEM, *turns], max_tokens=60)
        response = post("/v1/responses", instructions=SYSTEM["content"], input=turns, max_output_tokens=60, store=False)
        message = post("/v1/messages", system=SYSTEM["content"], messages=turns, max_tokens=60)
        counted = post("/v1/messages/count_tokens", system=SYSTEM["content"], messages=turns)
        (item,) = [item for item in response["output"] if item["type"] == "message"]
        text = chat["choices"][0]["message"]["content"]
        assert text
        assert {item["content"][0]["text"], message["content"][0]["text"]} == {text}
        counts = {
            (chat["usage"]["prompt_tokens"], chat["usage"]["completion_tokens"]),
            *((answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]) for answer in (response, message)),
        }
        assert counts == {(counted["input_tokens"], chat["usage"]["completion_tokens"])}
        turns.append({"role": "assistant", "content": text})
    completion = post("/v1/completions", prompt="def add(a, b):", max_tokens=8)
    assert completion["usage"]["completion_tokens"] == 8


def test_a_stream_on_every_wire_ends_as_its_wire_ends(
    demo: dict[str, Any], serve: Serve, vllm_server: VllmServer
) -> None:
    gateway = serve(demo)
    turns = [{"role": "user", "content": QUESTION}]
    asked: dict[str, dict[str, Any]] = {
        "/v1/responses": {"input": turns, "max_output_tokens": 20, "store": False},
        "/v1/messages": {"messages": turns, "max_tokens": 20},
        "/v1/completions": {"prompt": "def add(a, b):", "max_tokens": 20},
    }
    ends = {"/v1/responses": '"type":"response.', "/v1/messages": "message_stop", "/v1/completions": "[DONE]"}
    for path, fields in asked.items():
        body = {"model": "smollm2-135m", "temperature": 0, "stream": True, **fields}
        answer = gateway.http.post(path, json=body, timeout=120)
        assert ends[path] in answer.text.rstrip().rpartition("\n\n")[2], (path, answer.text[-500:])
        row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
        assert (row["outcome"], row["usage_source"], row["usage"]["output_tokens"]) == ("ok", "provider", 20), path


def test_tenants_share_no_prefix_and_their_responses_are_theirs(
    demo: dict[str, Any], serve: Serve, vllm_server: VllmServer
) -> None:
    """On every wire vLLM takes what it is told of tenants; what it found in its prefix cache, it says itself."""
    gateway = serve({**demo, "keys": KEYS}, api_key=OWN_KEY)
    acme, other = (Admin(gateway).create(customer=name)["key"] for name in ("acme", "other"))
    said = " ".join(f"{number} is a number that only these tenants like." for number in range(50))
    turns = [{"role": "user", "content": said}]

    def ask(key: str, path: str, **fields: Any) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {key}", "cache-control": "no-store"}
        body = {"model": "smollm2-135m", "temperature": 0, **fields}
        answer = httpx.post(gateway.url + path, json=body, headers=headers, timeout=120, trust_env=False)
        return dict(answer.raise_for_status().json())

    def found_of(key: str) -> float:
        before = prefix_hits(vllm_server)
        ask(key, "/v1/chat/completions", messages=turns, max_tokens=1)
        return prefix_hits(vllm_server) - before

    found = [found_of(key) for key in (acme, acme, other, other, OWN_KEY, OWN_KEY)]
    assert [hits > 0 for hits in found] == [False, True, False, True, False, True], found
    response = ask(acme, "/v1/responses", input=turns, max_output_tokens=1)
    tenants = Tenants(KEYS["secret"])
    assert [tenants.of(f"customer:{name}").owns(response["id"]) for name in ("acme", "other")] == [True, False]
    assert ask(acme, "/v1/messages", messages=turns, max_tokens=1)["usage"]["output_tokens"] == 1
    assert ask(acme, "/v1/completions", prompt=said, max_tokens=1)["usage"]["completion_tokens"] == 1


def prefix_hits(vllm_server: VllmServer) -> float:
    """Tokens, of all requests so far."""
    page = httpx.get(f"{vllm_server.base_url}/metrics", timeout=60, trust_env=False).text
    return sum(float(count) for count in re.findall(r"^vllm:prefix_cache_hits_total(?:{[^}]*})? (\S+)$", page, re.M))
