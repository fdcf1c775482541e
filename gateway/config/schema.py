"""The config file's shape. What fields say to each other is in `checks.py`."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BeforeValidator, Field, model_validator
from pydantic.fields import FieldInfo

from backends.route import Capability, Residency, UnsupportedTools
from gateway.config.budgeting import BudgetLeftSection
from gateway.config.budgeting import long_form as budget_long_form
from gateway.config.hedging import HedgeSection
from gateway.config.keys import KeysSection
from gateway.config.kinds import CanarySection, Parts, ShadowSection, StickSection
from gateway.config.learned import LearnedSection, of_path
from gateway.config.presets import PresetName, with_preset
from gateway.config.problem import Location
from gateway.config.section import Language, Languages, Name, Seconds, Secret, Section, Text, Usd, Weight, Words, listed
from gateway.config.storing import StoreSection
from gateway.config.verifying import VerifySection, long_form
from gateway.config.watching import WatchSection
from gateway.limits import Across, WhenUnavailable
from policies.live import LatencySource
from policies.policy import Objective, Otherwise, Unmeasured
from policies.scorecard import Origin


def _template(value: object) -> object:
    return {"template": value} if isinstance(value, str) else value


Backend = Literal["vllm", "claude", "recorded"]
FimName = Literal[
    "none",
    "qwen-coder",
    "starcoder",
    "codellama",
    "deepseek-coder",
    "codestral",
    "granite-code",
    "granite-4",
    "granite-4-base",
    "codegemma",
]
Verify = Annotated[VerifySection, BeforeValidator(long_form)]
Learned = Annotated[LearnedSection, BeforeValidator(of_path)]
MediaHost = Annotated[str, Field(pattern=r"^(\*|(\*\.)?[a-z0-9][a-z0-9.-]*)$")]
BudgetLeft = Annotated[BudgetLeftSection, BeforeValidator(budget_long_form)]
Capabilities = Annotated[list[Capability], BeforeValidator(listed), Field(min_length=1)]


class PriceSection(Section):
    input: Usd | None = Field(default=None, examples=["0.60"])
    output: Usd | None = Field(default=None, examples=["2.40"])
    cached_input: Usd | None = Field(default=None, examples=["0.06"])
    cache_write: Usd | None = Field(default=None, examples=["0.75"])
    cache_write_1h: Usd | None = Field(default=None, examples=["1.20"])
    gpu_hour_usd: Usd | None = Field(default=None, examples=["1.80"])
    gpus: int | None = Field(default=None, ge=1, examples=["4"])
    tokens_per_second: Decimal | None = Field(default=None, gt=0, examples=["1660"])


class RouteLanguagesSection(Section):
    only: Languages = Field(examples=["[python, rust]"])


class CapabilitiesSection(Section):
    tools: bool | None = Field(default=None, examples=["true"])
    vision: bool | None = Field(default=None, examples=["false"])
    json_schema: bool | None = Field(default=None, examples=["true"])
    logprobs: bool | None = Field(default=None, examples=["true"])
    fill_in_the_middle: bool | None = Field(default=None, examples=["true"])
    linked_media: bool | None = Field(default=None, examples=["true"])


class FimSection(Section):
    template: FimName | None = Field(default=None, examples=["qwen-coder"])
    prompt: Text | None = Field(default=None, examples=['"<PRE> {prefix} <SUF>{suffix} <MID>"'])
    stop: Words | None = Field(default=None, examples=["[<EOT>]"])


class RouteSection(Section):
    backend: Backend = Field(examples=["vllm"])
    model: Text | None = Field(default=None, examples=["meta-llama/Llama-3.1-70B-Instruct"])
    replicas: Words | None = Field(default=None, examples=["[http://127.0.0.1:8000]"])
    base_url: Text | None = Field(default=None, examples=["https://api.anthropic.com"])
    recording: Text | None = Field(default=None, examples=["recordings/small.jsonl"])
    prompts: Text | None = Field(default=None, examples=["recordings/prompts.jsonl"])
    revision: Text | None = Field(default=None, examples=["2025-10-bf16"])
    price: PriceSection | None = Field(default=None, examples=["{input: 0.60, output: 2.40}"])
    context_window: int | None = Field(default=None, ge=1, examples=["128000"])
    max_output_tokens: int | None = Field(default=None, ge=1, examples=["64000"])
    licence: Text | None = Field(default=None, examples=["apache-2.0"])
    residency: Residency = Field(default="third_party", examples=["self_hosted"])
    open_weights: bool | None = Field(default=None, examples=["true"])
    fine_tuning: bool | None = Field(default=None, examples=["true"])
    languages: RouteLanguagesSection | None = Field(default=None, examples=["{only: [python, rust]}"])
    unsupported_tools: UnsupportedTools = Field(default="pass", examples=["drop"])
    tool_types: Words = Field(default=["function"], examples=["[function, custom]"])
    capabilities: CapabilitiesSection | None = Field(default=None, examples=["{tools: true, vision: false}"])
    api_key: Secret | None = Field(default=None, examples=["${UPSTREAM_API_KEY}"])
    headers: dict[str, Secret] = Field(default_factory=dict, examples=["{x-team: assistants}"])
    fim: Annotated[FimSection, BeforeValidator(_template)] | None = Field(default=None, examples=["qwen-coder"])
    affinity: bool | None = Field(default=None, examples=["false"])
    cache_salt: bool | None = Field(default=None, examples=["true"])


class PassAt1Section(Section):
    suite: Text = Field(examples=["humaneval+"])
    language: Language | None = Field(default=None, examples=["python"])
    at_least: float = Field(gt=0, lt=1, examples=["0.80"])
    confidence: float = Field(default=0.95, ge=0.5, lt=1, examples=["0.95"])
    min_tasks: int = Field(default=1, ge=1, examples=["100"])
    pooled: bool = Field(default=False, examples=["true"])


class CostSection(Section):
    per_request_usd: Usd | None = Field(default=None, examples=["0.002"])
    per_1k_tokens_usd: Usd | None = Field(default=None, examples=["0.0025"])
    per_solved_task_usd: Usd | None = Field(default=None, examples=["0.005"])
    per_month_usd: Usd | None = Field(default=None, examples=["5000"])
    tokens_per_month: int | None = Field(default=None, ge=1, examples=["3000000000"])


class RequireSection(Section):
    pass_at_1: PassAt1Section | None = Field(default=None, examples=["{suite: humaneval+, at_least: 0.80}"])
    ttft_p50_ms: float | None = Field(default=None, gt=0, examples=["500"])
    ttft_p99_ms: float | None = Field(default=None, gt=0, examples=["2500"])
    total_p50_ms: float | None = Field(default=None, gt=0, examples=["4000"])
    total_p99_ms: float | None = Field(default=None, gt=0, examples=["10000"])
    cost: CostSection | None = Field(default=None, examples=["{per_1k_tokens_usd: 0.0025}"])
    residency: Residency | None = Field(default=None, examples=["self_hosted"])
    licence: Words | None = Field(default=None, examples=["[apache-2.0, mit]"])
    open_weights: bool | None = Field(default=None, examples=["true"])
    context: int | None = Field(default=None, ge=1, examples=["128000"])
    output: int | None = Field(default=None, ge=1, examples=["8000"])
    capabilities: Capabilities | None = Field(default=None, examples=["[tools, json_schema]"])
    languages: Languages | None = Field(default=None, examples=["[python, rust]"])
    budget_left: BudgetLeft | None = Field(default=None, examples=["{share: 0.25, routes: [large]}"])


class WeightsSection(Section):
    cheapest: Weight | None = Field(default=None, examples=["1"])
    cheapest_per_solved_task: Weight | None = Field(default=None, examples=["1"])
    most_accurate: Weight | None = Field(default=None, examples=["4"])
    fastest: Weight | None = Field(default=None, examples=["0.5"])


class PolicySection(Section):
    objective: Objective = Field(default="cheapest", examples=["cheapest"])
    require: RequireSection = Field(default=RequireSection(), examples=["{residency: self_hosted}"])
    otherwise: Otherwise = Field(default="refuse", examples=["most_accurate"])
    unmeasured: Unmeasured = Field(default="refuse", examples=["allow"])
    evidence: Origin = Field(default="measured", examples=["published"])
    latency: LatencySource = Field(default="live", examples=["worst"])
    preset: PresetName | None = Field(default=None, examples=["in-house-rust"])
    weights: WeightsSection | None = Field(default=None, examples=["{cheapest: 1, most_accurate: 4}"])
    weighted: dict[Name, Parts] | None = Field(default=None, examples=["{large: 90, small: 10}"])
    canary: CanarySection | None = Field(default=None, examples=["{stable: large, candidate: small, while: ...}"])
    fallback: Words | None = Field(default=None, examples=["[large, small]"])
    shadow: ShadowSection | None = Field(default=None, examples=["{to: small, share: 0.05, usd_per_day: 1}"])
    stick: StickSection | None = Field(default=None, examples=["{margin: 0.05}"])
    verify: Verify | None = Field(default=None, examples=["examples"])
    learned: Learned | None = Field(default=None, examples=["learned.json"])
    hedge: HedgeSection | None = Field(default=None, examples=["{after: p95}"])

    @model_validator(mode="before")
    @classmethod
    def _of_preset(cls, values: object) -> object:
        return with_preset(values) if isinstance(values, dict) else values


class ServerSection(Section):
    host: Text | None = Field(default=None, examples=["127.0.0.1"])
    port: int | None = Field(default=None, ge=0, le=65535, examples=["8080"])
    workers: int | None = Field(default=None, ge=1, le=256, examples=["2"])
    grace_s: Seconds | None = Field(default=None, examples=["30"])


class LimitsSection(Section):
    max_body_bytes: int | None = Field(default=None, ge=1, examples=["33554432"])
    max_answer_bytes: int | None = Field(default=None, ge=1, examples=["33554432"])
    receive_s: Seconds | None = Field(default=None, examples=["30"])
    connect_s: Seconds | None = Field(default=None, examples=["5"])
    first_token_s: Seconds | None = Field(default=None, examples=["120"])
    gap_s: Seconds | None = Field(default=None, examples=["60"])
    keep_alive_s: Seconds | None = Field(default=None, examples=["15"])
    total_s: Seconds | None = Field(default=None, examples=["900"])
    active: int | None = Field(default=None, ge=1, examples=["5000"])
    queue: int | None = Field(default=None, ge=0, examples=["5000"])
    queue_s: Seconds | None = Field(default=None, examples=["10"])
    when_unavailable: WhenUnavailable | None = Field(default=None, examples=["deny"])
    media_hosts: tuple[MediaHost, ...] | None = Field(default=None, examples=["[images.example.com]"])


class CacheSection(Section):
    enabled: bool | None = Field(default=None, examples=["true"])
    url: Text | None = Field(default=None, examples=["redis://127.0.0.1:6379/0"])
    ttl_s: Seconds | None = Field(default=None, examples=["86400"])
    max_entry_bytes: int | None = Field(default=None, ge=1, examples=["1048576"])
    wait_s: Seconds | None = Field(default=None, examples=["0.1"])
    across: Across | None = Field(default=None, examples=["all"])


class TelemetrySection(Section):
    otlp_endpoint: Text | None = Field(default=None, examples=["http://127.0.0.1:4318"])
    capture_content: bool | None = Field(default=None, examples=["true"])
    request_log: bool | None = Field(default=None, examples=["false"])


class LedgerSection(Section):
    keep_days: int | None = Field(default=None, ge=1, le=36_500, examples=["90"])


class ConfigSection(Section):
    routes: dict[Name, RouteSection] = Field(examples=["{small: {backend: vllm, model: ..., replicas: [...]}}"])
    policies: dict[Name, PolicySection] | None = Field(default=None, examples=["{auto: {objective: cheapest}}"])
    aliases: dict[Name, str] = Field(default_factory=dict, examples=["{gpt-4o: auto}"])
    server: ServerSection = Field(default=ServerSection(), examples=["{port: 8080}"])
    limits: LimitsSection = Field(default=LimitsSection(), examples=["{total_s: 900}"])
    cache: CacheSection = Field(default=CacheSection(), examples=["{ttl_s: 86400}"])
    telemetry: TelemetrySection = Field(default=TelemetrySection(), examples=["{otlp_endpoint: http://127.0.0.1:4318}"])
    store: StoreSection = Field(default=StoreSection(), examples=["{url: ${WEIGHBRIDGE_STORE_URL}}"])
    watch: WatchSection | None = Field(default=None, examples=["{suites: [builtin:python], usd_per_day: 2.00}"])
    ledger: LedgerSection = Field(default=LedgerSection(), examples=["{keep_days: 90}"])
    state_dir: Text | None = Field(default=None, examples=["/var/lib/weighbridge"])
    sandboxd: Text | None = Field(default=None, examples=["/run/weighbridge/sandboxd.sock"])
    api_key: Secret | None = Field(default=None, examples=["${WEIGHBRIDGE_API_KEY}"])
    keys: KeysSection | None = Field(
        default=None, examples=["{admin_key: ${WEIGHBRIDGE_ADMIN_KEY}, secret: ${WEIGHBRIDGE_KEY_SECRET}}"]
    )


def field_at(location: Location) -> FieldInfo | None:
    """The schema's field at a location in the file; None for entries of lists and of mappings with free names."""
    found, _ = _walk(location)
    return found


def keys_at(location: Location) -> tuple[str, ...]:
    """The keys that may stand at a location; none where any may."""
    _, shape = _walk(location)
    return tuple(_fields(shape)) if isinstance(shape, type) and issubclass(shape, Section) else ()


def _walk(location: Location) -> tuple[FieldInfo | None, Any]:
    shape: Any = ConfigSection
    found: FieldInfo | None = None
    for step in location:
        if isinstance(shape, type) and issubclass(shape, Section):
            found = _fields(shape).get(str(step))
            shape = _plain(found.annotation) if found else None
        else:
            found = None
            shape = _plain(next(reversed(get_args(shape)), None))  # the values of a dict, the items of a list
    return found, shape


def _fields(section: type[Section]) -> dict[str, FieldInfo]:
    """By the key in the file, which may be a word that Python keeps to itself."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def _plain(annotation: Any) -> Any:
    """Without `| None` and `Annotated`."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    options: Iterable[Any] = [option for option in get_args(annotation) if option is not type(None)]
    if type(None) in get_args(annotation):
        return _plain(next(iter(options)))
    return annotation
