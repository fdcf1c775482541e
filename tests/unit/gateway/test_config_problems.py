import sys
from pathlib import Path

import pytest

from gateway.config import ConfigError, load_config

GOOD = "  good: {backend: vllm, model: m, replicas: [http://h:8000], residency: self_hosted, context_window: 1000}\n"


def problems(tmp_path: Path, text: str, **env: str) -> list[str]:
    """Every problem as `line: key: message; fix`."""
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, env)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


@pytest.mark.parametrize(
    ("route", "problem"),
    [
        ("backend: vlm", "backend: 'vlm' is not one of vllm, claude, recorded; did you mean 'vllm'?"),
        ("modell: x", "modell: unknown key; did you mean 'model'?"),
        ("zzz: x", "zzz: unknown key; use one of affinity, api_key, backend,"),
        (
            "context_window: many",
            "context_window: 'many' is not a whole number; write for example `context_window: 128000`",
        ),
        ("context_window: 0", "context_window: '0' is below 1;"),
        ("open_weights: perhaps", "open_weights: 'perhaps' is neither true nor false;"),
        ("residency: self-hosted", "residency: 'self-hosted' is not one of self_hosted, third_party; did you mean"),
        (
            "languages: [python]",
            "languages: needs settings below it (key: value); write for example `languages: {only:",
        ),
        ("languages: {only: []}", "languages.only: this is empty;"),
        ("licence: [a]", "licence: this is not a plain text;"),
        ("price: {input: 1}", "price: is neither a price per token nor one per GPU hour; write {input, output}"),
        ("price: {input: 1, output: 1, gpus: 2}", "price: is neither a price per token"),
        ("price: {gpu_hour_usd: 1, gpus: 2}", "price: is neither a price per token"),
        ("price: {input: -1, output: 1}", "price.input: '-1' is below 0;"),
        ("price: {input: .nan, output: 1}", "price.input: '.nan' is not a number;"),
        ("price: {gpu_hour_usd: 1, gpus: 2, tokens_per_second: 0}", "price.tokens_per_second: '0' is not above 0;"),
        ("replicas: []", "replicas: this is empty;"),
        ("fim: qwen", "fim.template: 'qwen' is not one of none, qwen-coder,"),
        ("fim: {prompt: '{prefix}'}", "fim.prompt: does not hold {prefix} and {suffix} once each; write for example"),
        ("fim: {template: codestral, prompt: '{prefix}{suffix}'}", "fim: needs a template's name, or a prompt of"),
        ("fim: {template: codestral, stop: x}", "fim.stop: belongs to a prompt of its own; remove it, or write"),
        ("affinity: often", "affinity: 'often' is neither true nor false;"),
        ("replicas: [ftp://h]", "replicas.0: not an http address; write it like `http://127.0.0.1:8000`"),
        ("replicas: ['http://h:x']", "replicas.0: not an http address;"),
        ("replicas: ['http://u:p@h']", "replicas.0: holds credentials, which belong to `api_key` or `headers`;"),
        ("replicas: [http://h, http://h/v1]", "replicas.1: the same server stands here twice; remove one"),
        ("recording: x.jsonl", "recording: belongs to the backend 'recorded'; remove it, or write `backend: recorded`"),
        ("headers: {a b: x}", "headers.a b: cannot be set here;"),
        ("headers: {Content-Length: '1'}", "headers.Content-Length: cannot be set here;"),
        ('headers: {x: "a\\nb"}', "headers.x: this cannot be sent in a header; use printable ASCII"),
        ("api_key: k\n    headers: {Authorization: k}", "headers.Authorization: contradicts api_key; keep one"),
        (
            "api_key: ${NOT_SET}",
            "api_key: the environment variable NOT_SET is not set; set it, or write ${NOT_SET:-DEFAULT}",
        ),
        ("revision: ${", "revision: '${' without a variable's name;"),
        ("revision: !!python/name:os.system x", "revision: tag !!python/name:os.system is not allowed;"),
        ("revision: !mine x", "revision: tag !mine is not allowed;"),
        ("<<: {}", "<<: merge keys are not supported; write the keys out"),
    ],
)
def test_a_faulty_route_names_line_key_and_fix(tmp_path: Path, route: str, problem: str) -> None:
    fields = {"backend": "vllm", "model": "m", "replicas": "[http://h]"}
    fields.pop(route.split(":")[0], None)
    lines = [f"    {key}: {value}\n" for key, value in fields.items()]
    found = problems(tmp_path, f"routes:\n{GOOD}  bad:\n    {route}\n{''.join(lines)}")
    assert len(found) == 1
    line, _, rest = found[0].partition(": ")
    assert rest.startswith(f"routes.bad.{problem}")
    assert line in ("4", "5")


@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        ("polices: {}", "3: polices: unknown key; did you mean 'policies'?"),
        ("policies: {p: {objectiv: cheapest}}", "3: policies.p.objectiv: unknown key; did you mean 'objective'?"),
        (
            "policies: {p: {objective: fast}}",
            "3: policies.p.objective: 'fast' is not one of cheapest, cheapest_per_solved_task,",
        ),
        ("policies: {p: {require: {pass_at_1: {at_least: 0.8}}}}", "3: policies.p.require.pass_at_1.suite: missing;"),
        (
            "policies: {p: {require: {pass_at_1: {suite: s, at_least: 80}}}}",
            "3: policies.p.require.pass_at_1.at_least: '80' is not below 1",
        ),
        ("policies:\n  p:", "4: policies.p: needs settings below it (key: value); it may hold objective,"),
        ("policies: {good: {}}", "3: policies.good: 'good' is also one of the routes; rename one:"),
        ("policies: {p: {}}\naliases: {p: good}", "4: aliases.p: 'p' is also one of the policies; rename one:"),
        ("aliases: {x: goood}", "3: aliases.x: no route or policy is named 'goood'; did you mean 'good'?"),
        (
            "policies: {p: {}}\naliases: {x: p, y: x}",
            "4: aliases.y: no route or policy is named 'x'; use one of good, p",
        ),
        ("policies: {'a b': {}}", "3: policies.a b: 'a b' cannot name a model; use letters,"),
        (
            "server: {host: 0.0.0.0}",
            "3: server.host: 0.0.0.0 can be reached from other machines, and there is no api_key; set",
        ),
        ("server: {port: 70000}", "3: server.port: '70000' is above 65535;"),
        ("limits: {total_s: 0}", "3: limits.total_s: '0' is not above 0"),
        ("limits: 3", "3: limits: needs settings below it (key: value);"),
        (
            "cache: {url: http://h}",
            "3: cache.url: not the address of a Valkey; write it like `redis://127.0.0.1:6379/0`",
        ),
        ("telemetry: {otlp_endpoint: h:4318}", "3: telemetry.otlp_endpoint: not an http address; write it like"),
        ("api_key: 'a\u00e9'", "3: api_key: this cannot be sent in a header;"),
        (
            "policies: {p: {require: {residency: third_party}, otherwise: cheapest}}",
            "3: policies.p: can never match a route (good: residency is self_hosted, not the required third_party);",
        ),
        (
            "policies: {p: {require: {context: 2000}}}",
            "3: policies.p: can never match a route (good: context window of 1,000 tokens is below the required 2,000)",
        ),
        ("server:\n  port: 1\n  port: 2", "5: server.port: written twice; keep the one in line 4 or the one in line 5"),
    ],
)
def test_a_fault_elsewhere_names_line_key_and_fix(tmp_path: Path, rest: str, problem: str) -> None:
    found = problems(tmp_path, f"routes:\n{GOOD}{rest}\n")
    assert len(found) == 1 and found[0].startswith(problem)


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ("{backend: vllm}", ["model: missing; write the name", "replicas: missing; write its servers"]),
        ("{backend: recorded}", ["recording: missing; write the path"]),
        ("{backend: recorded, recording: no.jsonl}", ["recording: no such file: "]),
        (
            "{backend: recorded, recording: c.yaml, replicas: [http://h]}",
            ["recording: ", "replicas: belongs to the backend 'vllm';"],
        ),
        ("{backend: claude}", ["model: missing; write the model's id", "api_key: missing; set ANTHROPIC_API_KEY"]),
        (
            "{backend: claude, model: claude-haiku-4.5, api_key: k, base_url: h, replicas: [http://h]}",
            [
                "model: LiteLLM's price map has no 'claude-haiku-4.5', and the route has no price; "
                "write `price: {input: ..., output: ...}`, or another model: did you mean 'claude-haiku-4-5'?",
                "base_url: not an http address; write it like",
                "replicas: belongs to the backend 'vllm';",
            ],
        ),
        (
            "{backend: claude, model: claude-haiku-4-5, api_key: k, headers: {X-Api-Key: k}}",
            ["headers.X-Api-Key: contradicts api_key;"],
        ),
        ("{}", ["backend: missing; write for example `backend: vllm`"]),
    ],
)
def test_each_backend_needs_its_own(tmp_path: Path, route: str, said: list[str]) -> None:
    found = problems(tmp_path, f"routes:\n  r: {route}\n")
    assert len(found) == len(said)
    assert all(line.startswith(f"2: routes.r.{start}") for line, start in zip(found, said, strict=True))


def test_a_recording_that_cannot_be_read_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"prompt": "p", "answer": "a"}\n{"answer": "a"}\n')
    (found,) = problems(tmp_path, "routes:\n  r: {backend: recorded, recording: r.jsonl}\n")
    assert found.startswith(f"2: routes.r.recording: {tmp_path / 'r.jsonl'}:2: needs an answer (")


def test_claude_without_litellm_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litellm", None)  # how Python hides what is installed
    (found,) = problems(tmp_path, "routes:\n  c: {backend: claude, model: claude-haiku-4-5, api_key: k}\n")
    assert found.startswith(
        "2: routes.c.backend: Claude needs LiteLLM, which is not installed; install requirements-claude"
    )


def test_all_problems_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        "routes:\n"
        "  a:\n"
        "    backend: vlm\n"
        "    modell: x\n"
        "  b: {backend: vllm}\n"
        "policies:\n"
        "  a: {}\n"
        "aliases: {x: nowhere}\n"
        "server: {host: 0.0.0.0, port: x}\n"
        "api_key: ${KEY_NOT_SET}\n"
    )
    found = problems(tmp_path, text)
    places = [":".join(line.split(":")[:2]) for line in found]
    assert places == [
        "3: routes.a.backend",
        "4: routes.a.modell",
        "5: routes.b.model",
        "5: routes.b.replicas",
        "7: policies.a",
        "8: aliases.x",
        "9: server.port",
        "9: server.host",
        "10: api_key",
    ]


def test_no_message_shows_a_secret(tmp_path: Path) -> None:
    route = "  r:\n    backend: vllm\n    api_key: 'caf\u00e9-s3cret'\n    headers: {x: \"s3cret\\n\"}\n"
    found = problems(tmp_path, f"routes:\n{GOOD}{route}api_key: ' s3cret'\n")
    assert len(found) == 5 and not any("s3cret" in line for line in found)
