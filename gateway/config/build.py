"""From the file's sections to the plain types that the rooms work with."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from backends.claude.prices import known_models
from backends.claude.wire import ADDRESS
from backends.fim import TEMPLATES, FimTemplate, known_template
from backends.price import Price, nano
from backends.route import Capability, Revision, Route
from gateway.config import build_kinds
from gateway.config.budgeting import budget_at_least
from gateway.config.config import Cache, Server, Telemetry
from gateway.config.hedging import hedge
from gateway.config.learned import learned_model
from gateway.config.schema import (
    CacheSection,
    ConfigSection,
    CostSection,
    FimSection,
    PolicySection,
    PriceSection,
    RequireSection,
    RouteSection,
)
from gateway.config.section import Section
from gateway.config.verifying import verification
from gateway.limits import Limits
from policies.costs import CostName, CostPerMonth, MeasuredCost, PricePer1k
from policies.facts import (
    ContextAtLeast,
    HasCapabilities,
    LanguagesInclude,
    LicenceIn,
    OpenWeights,
    OutputAtLeast,
    ResidencyIs,
)
from policies.latency import Latency
from policies.live import LatencySource, TimeName
from policies.policy import Measure, Policy
from policies.requirements import PassAt1, Requirement

IMPLICIT_POLICY = "auto"


def route(name: str, section: RouteSection, directory: Path) -> Route:
    """Paths in the file are relative to the file's ``directory``."""
    model = section.model or name
    facts = known_models().get(model) if section.backend == "claude" else None
    context_window = section.context_window or (facts.context_window if facts else None)
    return Route(
        name=name,
        backend=section.backend,
        model=model,
        price=facts.price if facts and section.price is None else _price(section.price),
        replicas=tuple(replica_base(url) for url in _addresses(section)),
        recording=str(directory / section.recording) if section.recording else None,
        prompts=str(directory / section.prompts) if section.prompts else None,
        context_window=context_window,
        max_output_tokens=section.max_output_tokens or (facts.max_output_tokens if facts else None),
        licence=section.licence,
        residency=section.residency,
        open_weights=section.open_weights,
        fine_tuning=section.fine_tuning,
        languages=frozenset(section.languages.only) if section.languages else None,
        capabilities=_capabilities(section),
        revision=Revision(section.revision),
        tool_types=frozenset(section.tool_types),
        unsupported_tools=section.unsupported_tools,
        fim=_fim(section.fim, model) if section.backend == "vllm" else None,
        affinity=section.affinity is not False,
        cache_salt=section.cache_salt,
        headers=_headers(section),
    )


def replica_base(url: str) -> str:
    """`http://h:8000`, `http://h:8000/` and `http://h:8000/v1` are the same server: without `/v1`, without a slash."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def policies(section: ConfigSection, directory: Path) -> dict[str, Policy]:
    """Without a `policies:` key there is one, `auto`: the cheapest route, unless the file uses its name otherwise."""
    if section.policies is not None:
        return {name: policy(name, part, directory) for name, part in section.policies.items()}
    if IMPLICIT_POLICY in section.routes or IMPLICIT_POLICY in section.aliases:
        return {}
    return {IMPLICIT_POLICY: Policy(IMPLICIT_POLICY)}


def policy(name: str, section: PolicySection, directory: Path) -> Policy:
    """Raises InvalidModel."""
    weights: dict[Measure, float] = _given(section.weights)
    return Policy(
        name,
        section.objective,
        (*_facts(section.require), *_evidence(section.require, section.latency)),
        section.otherwise,
        section.unmeasured,
        section.evidence,
        tuple(weights.items()),
        kind=build_kinds.kind(section),
        shadow=build_kinds.shadow(section.shadow),
        stick=build_kinds.stick(section),
        budget=budget_at_least(section.require.budget_left),
        verify=verification(section.verify, best_first=section.objective == "most_accurate"),
        learned=learned_model(section.learned, directory) if section.learned is not None else None,
        hedge=hedge(section.hedge),
    )


def server(section: ConfigSection) -> Server:
    return replace(Server(), **section.server.model_dump(exclude_none=True))


def limits(section: ConfigSection) -> Limits:
    return replace(Limits(), **section.limits.model_dump(exclude_none=True))


def cache(section: CacheSection) -> Cache:
    return replace(Cache(), **section.model_dump(exclude_none=True))


def telemetry(section: ConfigSection) -> Telemetry:
    return replace(Telemetry(), **section.telemetry.model_dump(exclude_none=True))


def _price(section: PriceSection | None) -> Price:
    if section is None:
        return Price()
    if section.gpu_hour_usd is not None and section.gpus and section.tokens_per_second:
        return Price.per_gpu_hour(section.gpu_hour_usd, section.gpus, section.tokens_per_second)
    of_cache = (section.cached_input, section.cache_write, section.cache_write_1h)
    cached, write, write_1h = (None if usd is None else nano(usd) for usd in of_cache)
    return Price(nano(section.input or 0), nano(section.output or 0), cached, write, write_1h)


def _capabilities(section: RouteSection) -> dict[Capability, bool]:
    """A vLLM server would fetch what a request links to from inside the house: that is to be allowed."""
    unless_said: dict[Capability, bool] = {"linked_media": False} if section.backend == "vllm" else {}
    return {**unless_said, **_given(section.capabilities)}


def _given(section: Section | None) -> dict[Any, Any]:
    return section.model_dump(exclude_none=True) if section else {}


def _fim(section: FimSection | None, model: str) -> FimTemplate | None:
    """What the file says, or else what is known of the model."""
    if section is None:
        return known_template(model)
    if section.prompt is not None:
        return FimTemplate(section.prompt, tuple(section.stop or ()))
    return TEMPLATES.get(section.template or "none")


def _addresses(section: RouteSection) -> list[str]:
    return [section.base_url or ADDRESS] if section.backend == "claude" else section.replicas or []


def _headers(section: RouteSection) -> dict[str, str]:
    headers = {name.lower(): value.get_secret_value() for name, value in section.headers.items()}
    if section.api_key is not None:
        key = section.api_key.get_secret_value()
        headers |= {"x-api-key": key} if section.backend == "claude" else {"authorization": f"Bearer {key}"}
    return headers


_TIMES: tuple[TimeName, ...] = ("ttft_p50_ms", "ttft_p99_ms", "total_p50_ms", "total_p99_ms")


def _facts(section: RequireSection) -> Iterator[Requirement]:
    if section.residency is not None:
        yield ResidencyIs(section.residency)
    if section.licence is not None:
        yield LicenceIn(frozenset(section.licence))
    if section.open_weights is not None:
        yield OpenWeights(section.open_weights)
    if section.context is not None:
        yield ContextAtLeast(section.context)
    if section.output is not None:
        yield OutputAtLeast(section.output)
    if section.capabilities is not None:
        yield HasCapabilities(frozenset(section.capabilities))
    if section.languages is not None:
        yield LanguagesInclude(frozenset(section.languages))
    if section.cost is not None:
        yield from _price_limits(section.cost)


def _price_limits(section: CostSection) -> Iterator[Requirement]:
    if section.per_1k_tokens_usd is not None:
        yield PricePer1k(nano(section.per_1k_tokens_usd))
    if section.per_month_usd is not None and section.tokens_per_month is not None:
        yield CostPerMonth(section.tokens_per_month, nano(section.per_month_usd))


def _evidence(section: RequireSection, latency: LatencySource) -> Iterator[Requirement]:
    """Times and costs are those of the suite that correctness is asked on."""
    suite, language = None, None
    if (gate := section.pass_at_1) is not None:
        suite, language = gate.suite, gate.language
        yield PassAt1(suite, gate.at_least, language, gate.confidence, gate.min_tasks, gate.pooled)
    for time in _TIMES:
        if (at_most_ms := getattr(section, time)) is not None:
            yield Latency(time, at_most_ms, suite, language, latency)
    names: tuple[CostName, ...] = ("cost_per_request", "cost_per_solved_task")
    for name in names:
        at_most = getattr(section.cost, f"{name.removeprefix('cost_')}_usd", None)
        if at_most is not None:
            yield MeasuredCost(name, nano(at_most), suite, language)
