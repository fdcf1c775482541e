import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.price import Price
from gateway.config import Config, ConfigError, is_loopback, load_config
from gateway.config.config import Telemetry
from gateway.config.schema import keys_at
from policies.facts import ContextAtLeast, LanguagesInclude, LicenceIn, OpenWeights, ResidencyIs
from policies.latency import Latency
from policies.policy import Policy
from policies.requirements import PassAt1

Load = Callable[..., Config]

WHOLE = """\
routes:
  llama-3.1-70b:
    backend: vllm
    model: meta-llama/Llama-3.1-70B-Instruct
    replicas: [http://a100-1:8000, http://a100-2:8000/v1]
    context_window: 128000
    licence: llama-3.1-community
    residency: self_hosted
    open_weights: true
    fine_tuning: yes
    languages: {only: [Python, rust]}
    revision: 1.10
    price: {gpu_hour_usd: 1.80, gpus: 4, tokens_per_second: 1660}
    api_key: ${UPSTREAM_KEY}
    headers: {X-Team: assistants}
  small:
    backend: recorded
    recording: small.jsonl
    prompts: prompts.jsonl
    price: {input: 0.60, output: 2.40, cached_input: 0.06}
policies:
  auto:
    objective: cheapest
    require:
      pass_at_1: {suite: humaneval+, at_least: 0.80, confidence: 0.9, min_tasks: 100, language: Python}
      ttft_p99_ms: 2500
      total_p99_ms: 9000
      residency: self_hosted
      licence: llama-3.1-community
      open_weights: true
      context: 64000
      languages: [rust]
    otherwise: most_accurate
    unmeasured: allow
aliases: {gpt-4o: auto}
server: {host: 0.0.0.0, port: 9000, workers: 2}
limits: {max_body_bytes: 1000, first_token_s: 2.5}
cache: {url: "valkey://:secret@cache:6379/1", ttl_s: 60, max_entry_bytes: 10, enabled: false}
telemetry: {otlp_endpoint: "http://collector:4318", capture_content: true, request_log: false}
ledger: {keep_days: 90}
state_dir: /var/lib/weighbridge
api_key: ${WEIGHBRIDGE_API_KEY}
"""
ENV = {"UPSTREAM_KEY": "sk-upstream", "WEIGHBRIDGE_API_KEY": "sk-gateway"}
LOCATIONS = (
    (),
    ("routes", "r"),
    ("routes", "r", "price"),
    ("routes", "r", "languages"),
    ("policies", "p"),
    ("policies", "p", "require"),
    ("policies", "p", "require", "pass_at_1"),
    ("policies", "p", "canary"),
    ("policies", "p", "canary", "while", "pass_at_1"),
    ("policies", "p", "shadow"),
    ("policies", "p", "stick"),
    ("server",),
    ("limits",),
    ("cache",),
    ("telemetry",),
)
ROUTE = "routes: {r: {backend: vllm, model: m, replicas: [http://h:8000]}}\n"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Writes a config file and loads it, with an environment of its own."""
    (tmp_path / "small.jsonl").write_text('{"prompt": "Say hello.", "answer": "Hello."}\n')
    (tmp_path / "prompts.jsonl").write_text("")

    def load(text: str | bytes, **env: str) -> Config:
        path = tmp_path / "weighbridge.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config(path, env)

    return load


def said(load: Load, text: str | bytes, **env: str) -> list[tuple[int | None, str, str]]:
    """Line, key and message with fix of every problem."""
    with pytest.raises(ConfigError) as caught:
        load(text, **env)
    return [(p.line, p.key, f"{p.message}; {p.fix}") for p in caught.value.problems]


def test_every_setting_arrives_where_it_belongs(load: Load, tmp_path: Path) -> None:
    config = load(WHOLE, **ENV)
    llama, small = config.routes["llama-3.1-70b"], config.routes["small"]
    assert llama.replicas == ("http://a100-1:8000", "http://a100-2:8000")
    assert (llama.context_window, llama.licence, llama.residency) == (128000, "llama-3.1-community", "self_hosted")
    assert (llama.open_weights, llama.fine_tuning) == (True, True)
    assert llama.languages == {"python", "rust"}
    assert llama.revision.declared == "1.10"
    assert llama.price == Price(1_204_819_277, 1_204_819_277, gpus=4, gpu_hour=1_800_000_000)
    assert llama.headers == {"x-team": "assistants", "authorization": "Bearer sk-upstream"}
    assert small.price == Price(600_000_000, 2_400_000_000, 60_000_000)
    assert (small.recording, small.prompts) == (str(tmp_path / "small.jsonl"), str(tmp_path / "prompts.jsonl"))
    assert small.model == "small" and small.replicas == ()
    assert config.keep_days == 90
    assert config.policies == {
        "auto": Policy(
            "auto",
            "cheapest",
            (
                ResidencyIs("self_hosted"),
                LicenceIn(frozenset({"llama-3.1-community"})),
                OpenWeights(True),
                ContextAtLeast(64000),
                LanguagesInclude(frozenset({"rust"})),
                PassAt1("humaneval+", 0.80, "python", 0.9, 100),
                Latency("ttft_p99_ms", 2500, "humaneval+", "python"),
                Latency("total_p99_ms", 9000, "humaneval+", "python"),
            ),
            "most_accurate",
            "allow",
        )
    }
    assert config.aliases == {"gpt-4o": "auto"}
    assert (config.server.host, config.server.port, config.server.workers) == ("0.0.0.0", 9000, 2)
    assert (config.limits.max_body_bytes, config.limits.first_token_s) == (1000, 2.5)
    assert config.cache.url == "valkey://:secret@cache:6379/1"
    assert (config.cache.enabled, config.cache.ttl_s, config.cache.max_entry_bytes) == (False, 60, 10)
    assert config.telemetry == Telemetry("http://collector:4318", capture_content=True, request_log=False)
    assert config.state_dir == Path("/var/lib/weighbridge")
    assert config.api_key == "sk-gateway"
    assert config.warnings == ()


def test_secrets_are_not_in_its_representation(load: Load) -> None:
    shown = repr(load(WHOLE, **ENV))
    assert "sk-upstream" not in shown and "sk-gateway" not in shown and ":secret@" not in shown


def test_one_route_is_enough(load: Load) -> None:
    config = load(ROUTE)
    assert config.policies == {"auto": Policy("auto")}
    assert (config.server.host, config.server.port, config.api_key) == ("127.0.0.1", 8080, None)
    assert config.limits.max_body_bytes == 32 * 1024 * 1024
    assert config.cache.enabled and config.cache.url is None
    assert config.telemetry == Telemetry(None, capture_content=False, request_log=True)
    assert config.state_dir == Path(".weighbridge")


def test_no_policy_is_implied_where_its_name_is_taken_or_policies_are_written(load: Load) -> None:
    assert load(ROUTE.replace("{r:", "{auto:")).policies == {}
    assert load(ROUTE + "policies: {}").policies == {}


def test_environment_fills_in_and_is_never_read_as_yaml(load: Load) -> None:
    text = (
        ROUTE
        + "state_dir: ${DIR}/x-${NOT_SET:-default}-$${DIR}\nserver: {port: '${PORT:-81}'}\ncache: {url: '${C:-}'}\n"
    )
    config = load(text, DIR="/a: {b}")
    assert config.state_dir == Path("/a: {b}/x-default-${DIR}")
    assert config.server.port == 81 and config.cache.url is None


def test_the_state_directory_of_the_environment_goes_first(load: Load) -> None:
    assert load(ROUTE + "state_dir: /a", WEIGHBRIDGE_STATE_DIR="/b").state_dir == Path("/b")


def test_api_key_comes_from_the_environment_even_when_the_file_is_silent(load: Load) -> None:
    assert load(ROUTE, WEIGHBRIDGE_API_KEY="k").api_key == "k"
    assert load(ROUTE + "api_key: ${WEIGHBRIDGE_API_KEY}\n").api_key is None
    assert load(ROUTE + "api_key: ${WEIGHBRIDGE_API_KEY}\n", WEIGHBRIDGE_API_KEY="").api_key is None


def test_a_route_without_a_price_is_worth_a_warning_beside_others(load: Load) -> None:
    priced = "  s: {backend: recorded, recording: small.jsonl, price: {input: 1, output: 1}}\n"
    config = load("routes:\n  r: {backend: vllm, model: m, replicas: [http://h]}\n" + priced)
    (warning,) = config.warnings
    assert (warning.line, warning.key) == (2, "routes.r")
    assert "free to the policy 'auto'" in warning.message


def test_aliases_of_yaml_may_repeat_a_part(load: Load) -> None:
    text = "routes:\n  a: &a {backend: vllm, model: m, replicas: [http://h]}\n  b: *a\n"
    assert set(load(text).routes) == {"a", "b"}


def test_loopback_is_what_no_other_machine_can_reach() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.9.9.9", "::1", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "10.0.0.1", "example.org", ""]))


@pytest.mark.parametrize(
    "text", ["a: [", "a: b: c", "\t- x", "- 1\n- 2\n", "just text", "a: 1\n---\nb: 2\n", "[" * 5000, "a: *b", "\x00"]
)
def test_what_is_no_mapping_is_refused(load: Load, text: str) -> None:
    assert said(load, text)


def test_a_missing_file_and_one_in_another_encoding_are_said_so(load: Load, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.yaml", {})
    assert said(load, b"routes:\n  \xff: 1\n") == [(2, "", "not UTF-8 text; save it as UTF-8")]


def test_an_empty_file_says_what_is_missing(load: Load) -> None:
    ((line, key, message),) = said(load, "")
    assert (line, key) == (1, "routes") and message.startswith("missing; write for example `routes: ")


def test_bombs_are_refused_quickly(load: Load) -> None:
    bomb = "x0: &x0 [a]\n" + "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 12))
    assert "too large or too deep" in str(said(load, bomb))
    assert "too large or too deep" in str(said(load, "routes: &r\n  r: *r\n"))


wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["routes", "policies", "r", "api_key", "require", "server", "host", "x"]), inner
        )
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60) | wild.map(lambda value: f"{ROUTE}{value!r}") | wild.map(repr))
def test_wild_files_load_or_say_why(load: Load, text: str) -> None:
    try:
        load(text.encode("utf-8", "surrogatepass"))
    except ConfigError as error:
        assert error.problems
        assert all(problem.message and problem.fix for problem in error.problems)


sections = st.sampled_from(["routes", "policies", "aliases", "server", "limits", "cache", "state_dir", "api_key"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(sections, st.dictionaries(sections | st.sampled_from(["host", "port"]), wild) | wild))
def test_wild_settings_of_real_sections_load_or_say_why(load: Load, values: dict[str, object]) -> None:
    try:
        load("".join(f"{key}: {value!r}\n" for key, value in values.items()).encode("utf-8", "surrogatepass"))
    except ConfigError as error:
        assert all(problem.message and problem.fix for problem in error.problems)


def test_the_documented_file_loads_and_every_key_is_documented(load: Load) -> None:
    page = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
    example = page.split("```yaml\n")[1].split("```")[0]
    assert load(example, WEIGHBRIDGE_API_KEY="k").warnings == ()
    keys = {key for at in LOCATIONS for key in keys_at(at)}
    assert {"price", "suite", "host", "ttl_s", "gap_s", "only", "state_dir"} <= keys
    assert [key for key in sorted(keys) if not re.search(rf"`[^`\n]*\b{key}\b[^`\n]*`", page)] == []


def test_a_claude_route_takes_prices_and_lengths_from_litellms_map(load: Load) -> None:
    route = "{backend: claude, model: claude-haiku-4-5, api_key: '${ANTHROPIC_API_KEY}'}"
    claude = load(f"routes: {{c: {route}}}\n", ANTHROPIC_API_KEY="sk-ant").routes["c"]
    assert claude.price == Price(1_000_000_000, 5_000_000_000, 100_000_000, 1_250_000_000, 2_000_000_000)
    assert (claude.context_window, claude.max_output_tokens) == (200_000, 64_000)
    assert claude.replicas == ("https://api.anthropic.com",)
    assert claude.headers == {"x-api-key": "sk-ant"}
    assert claude.residency == "third_party"


def test_what_the_file_says_of_a_claude_route_goes_before_the_map(load: Load) -> None:
    price = "{input: 1, output: 2, cached_input: 0.1, cache_write: 1.25, cache_write_1h: 2}"
    more = f"price: {price}, context_window: 1000, max_output_tokens: 100, base_url: 'http://127.0.0.1:1/v1'"
    route = f"{{backend: claude, model: claude-of-tomorrow, headers: {{Authorization: 'Bearer t'}}, {more}}}"
    config = load(f"routes: {{c: {route}, other: {{backend: vllm, model: m, replicas: [http://h]}}}}\n")
    claude = config.routes["c"]
    assert claude.price == Price(1_000_000_000, 2_000_000_000, 100_000_000, 1_250_000_000, 2_000_000_000)
    assert (claude.context_window, claude.max_output_tokens) == (1000, 100)
    assert claude.replicas == ("http://127.0.0.1:1",)
    assert claude.headers == {"authorization": "Bearer t"}


def test_only_a_route_without_any_price_is_warned_about(load: Load) -> None:
    claude = "{backend: claude, model: claude-haiku-4-5, api_key: k}"
    config = load(f"routes: {{c: {claude}, other: {{backend: vllm, model: m, replicas: [http://h]}}}}\n")
    assert [warning.key for warning in config.warnings] == ["routes.other"]
