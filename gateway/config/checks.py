"""What the schema cannot see: fields that belong together, names that must differ, policies that never match."""

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from itertools import combinations
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from backends.claude.prices import known_models, litellm_folder
from backends.fim import fault_of
from backends.recording import Recording, RecordingError
from backends.route import Route
from gateway.config.budgeting import check_budget_left
from gateway.config.build import replica_base
from gateway.config.hedging import check_hedge
from gateway.config.kind_checks import check_kind
from gateway.config.learned import check_learned
from gateway.config.names import did_you_mean
from gateway.config.problem import Location, Report
from gateway.config.schema import Backend, ConfigSection, FimSection, PolicySection, RouteSection
from gateway.config.storing import check_store
from gateway.config.verifying import check_verify
from gateway.config.watching import check_watch
from policies.costs import CostPerMonth, PricePer1k
from policies.policy import Policy
from policies.snapshot import Snapshot

_TOKEN_PRICE = ("input", "output")
_CACHE_PRICE = {"cached_input", "cache_write", "cache_write_1h"}
_GPU_PRICE = ("gpu_hour_usd", "gpus", "tokens_per_second")
_CACHE_SCHEMES = ("redis", "rediss", "valkey", "valkeys", "unix")
_BELONGS_TO: Mapping[str, tuple[Backend, ...]] = {
    "replicas": ("vllm",),
    "affinity": ("vllm",),
    "cache_salt": ("vllm",),
    "fim": ("vllm",),
    "base_url": ("claude",),
    "recording": ("recorded",),
    "prompts": ("recorded",),
}
"""Keys of a route that not every backend takes, and which do."""
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset({"content-length", "transfer-encoding", "connection", "host", "content-type"})


def is_loopback(host: str) -> bool:
    """True only for addresses that no other machine can reach; a name other than `localhost` might resolve to any."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_names(values: Mapping[str, object]) -> Iterator[Report]:
    """Clients choose routes, policies and aliases by the same field. Works on a file that has other faults."""
    if values.get("routes") == {}:
        yield ("routes",), "there is no route", "write at least one, for example `small: {backend: vllm, ...}`"
    kinds = {kind: found for kind in ("routes", "policies", "aliases") if isinstance(found := values.get(kind), dict)}
    for (first, names), (second, others) in combinations(kinds.items(), 2):
        for name in names.keys() & others.keys():
            yield (second, name), f"'{name}' is also one of the {first}", "rename one: clients select both by `model`"
    targets = {name for kind in ("routes", "policies") for name in kinds.get(kind, {})}
    if "policies" not in kinds:
        targets.add("auto")
    for alias, target in kinds.get("aliases", {}).items():
        if isinstance(target, str) and target not in targets:
            yield ("aliases", alias), f"no route or policy is named '{target}'", did_you_mean(target, targets)


def check_section(section: ConfigSection, directory: Path) -> Iterator[Report]:
    for name, route in section.routes.items():
        yield from _check_route(("routes", name), route, directory)
    for name, policy in (section.policies or {}).items():
        yield from _check_policy(("policies", name), policy)
        yield from check_kind(("policies", name), policy, section.routes)
        at = ("policies", name, "require", "budget_left")
        yield from check_budget_left(at, policy.require.budget_left, section.routes)
        yield from check_verify(("policies", name, "verify"), policy.verify)
        yield from check_learned(("policies", name, "learned"), policy.learned, directory)
        yield from check_hedge(("policies", name, "hedge"), policy.hedge, policy.verify is not None)
    yield from check_watch(section.watch, directory)
    host = section.server.host
    if host is not None and not is_loopback(host) and section.api_key is None:
        fix = "set WEIGHBRIDGE_API_KEY and write `api_key: ${WEIGHBRIDGE_API_KEY}`, or use host 127.0.0.1"
        yield ("server", "host"), f"{host} can be reached from other machines, and there is no api_key", fix
    url = section.cache.url
    if url is not None and urlsplit(url).scheme not in _CACHE_SCHEMES:
        yield ("cache", "url"), "not the address of a Valkey", "write it like `redis://127.0.0.1:6379/0`"
    yield from check_store(section.store)
    endpoint = section.telemetry.otlp_endpoint
    if endpoint is not None and (fault := _url_fault(endpoint)) is not None:
        yield (
            ("telemetry", "otlp_endpoint"),
            fault,
            "write it like `http://127.0.0.1:4318`; headers come from OTEL_EXPORTER_OTLP_HEADERS",
        )


def check_policies(policies: Mapping[str, Policy], routes: Mapping[str, Route]) -> Iterator[Report]:
    """A policy that asks for facts which no route has can never pick one, whatever will be measured."""
    nothing_measured = Snapshot()
    for name, policy in policies.items():
        facts = [requirement for requirement in policy.requirements if requirement.hard]
        broken = {}
        for route in routes.values():
            findings = [requirement.judge(route, nothing_measured) for requirement in facts]
            if (fault := next((finding.reason for finding in findings if not finding.kept), None)) is not None:
                broken[route.name] = fault
        named = policy.kind.routes if policy.kind is not None else tuple(routes)
        fix = "change `require`, or add or correct a route"
        if named and broken.keys() >= set(named):
            reasons = "; ".join(f"{route}: {broken[route]}" for route in named)
            yield ("policies", name), f"can never match a route ({reasons})", fix
        if policy.shadow is not None and policy.shadow.to in broken:
            yield ("policies", name, "shadow", "to"), f"can never be mirrored to: {broken[policy.shadow.to]}", fix


def check_prices(section: ConfigSection, policies: Mapping[str, Policy]) -> Iterator[Report]:
    """Worth a warning, no more: a route without a price counts as free."""
    by_price = [name for name, policy in policies.items() if _goes_by_price(policy)]
    for name, route in section.routes.items():
        if route.price is None and route.backend != "claude" and by_price and len(section.routes) > 1:
            fix = "write `price: {input: ..., output: ...}` in USD per million tokens"
            yield ("routes", name), f"has no price, so it is free to the policy '{by_price[0]}'", fix
    for name, policy in policies.items():
        to = section.routes[policy.shadow.to] if policy.shadow is not None else None
        if to is not None and to.price is None and to.backend == "vllm":
            fix = "write its price, or go by `at_once` alone"
            yield ("policies", name, "shadow"), "its route has no price, so that no budget bounds it", fix


def _goes_by_price(policy: Policy) -> bool:
    objectives = {policy.otherwise} if policy.kind is not None else {policy.objective, policy.otherwise}
    if "weighted" in objectives:
        objectives |= {measure for measure, _ in policy.weights}
    return "cheapest" in objectives or any(isinstance(r, PricePer1k | CostPerMonth) for r in policy.requirements)


def _check_policy(at: Location, policy: PolicySection) -> Iterator[Report]:
    weighted = "weighted" in (policy.objective, policy.otherwise)
    if weighted and (policy.weights is None or not policy.weights.model_fields_set):
        fix = "write what each measure counts, for example `weights: {cheapest: 1, most_accurate: 4}`"
        yield (*at, "weights"), "missing: the objective is `weighted`", fix
    if policy.weights is not None and not weighted:
        yield (*at, "weights"), "belongs to the objective `weighted`", "remove it, or write `objective: weighted`"
    gate = policy.require.pass_at_1
    if gate is not None and gate.pooled and gate.language is None:
        fix = "write `language: of_request`, or a language; the whole suite has nothing to be pooled with"
        yield (*at, "require", "pass_at_1", "pooled"), "belongs to a gate in a language", fix
    cost = policy.require.cost
    if cost is not None and (cost.per_month_usd is None) != (cost.tokens_per_month is None):
        fix = "write both, for example `{per_month_usd: 5000, tokens_per_month: 3000000000}`"
        yield (*at, "require", "cost"), "a month's cost needs a sum and its number of tokens", fix


def _check_route(at: Location, route: RouteSection, directory: Path) -> Iterator[Report]:
    yield from BACKEND_CHECKS[route.backend](at, route, directory)
    yield from _check_foreign_keys(at, route)
    yield from _check_price(at, route)
    for name in route.headers:
        if not _HEADER.fullmatch(name) or name.lower() in _OURS:
            yield (*at, "headers", name), "cannot be set here", "use a header of the upstream's own"
        if name.lower() in _credentials(route) and route.api_key is not None:
            yield (*at, "headers", name), "contradicts api_key", "keep one of the two"


def _check_vllm(at: Location, route: RouteSection, directory: Path) -> Iterator[Report]:
    if route.model is None:
        yield (*at, "model"), "missing", "write the name that the server serves, as its /v1/models lists it"
    if not route.replicas:
        yield (*at, "replicas"), "missing", "write its servers, for example `replicas: [http://127.0.0.1:8000]`"
    seen = set()
    for index, url in enumerate(route.replicas or ()):
        place = (*at, "replicas", index)
        if (fault := _url_fault(url)) is not None:
            yield place, fault, "write it like `http://127.0.0.1:8000`"
        elif replica_base(url) in seen:
            yield place, "the same server stands here twice", "remove one"
        else:
            seen.add(replica_base(url))
    if route.fim is not None:
        yield from _check_fim((*at, "fim"), route.fim)


def _check_fim(at: Location, fim: FimSection) -> Iterator[Report]:
    if (fim.template is None) == (fim.prompt is None):
        yield at, "needs a template's name, or a prompt of its own, and not both", "write for example `fim: qwen-coder`"
    elif fim.prompt is None and fim.stop is not None:
        yield (*at, "stop"), "belongs to a prompt of its own", "remove it, or write `prompt`"
    if fim.prompt is not None and (fault := fault_of(fim.prompt)) is not None:
        yield (*at, "prompt"), fault, 'write for example `prompt: "<PRE> {prefix} <SUF>{suffix} <MID>"`'


def _check_claude(at: Location, route: RouteSection, directory: Path) -> Iterator[Report]:
    if litellm_folder() is None:
        fix = "install requirements-claude.lock, or the extra `weighbridge[claude]`"
        yield (*at, "backend"), "Claude needs LiteLLM, which is not installed", fix
        return
    if route.model is None:
        yield (*at, "model"), "missing", "write the model's id, as Anthropic lists it"
    elif route.price is None and route.model not in known_models():
        near = did_you_mean(route.model, known_models())
        fix = f"write `price: {{input: ..., output: ...}}`, or another model: {near}"
        yield (*at, "model"), f"LiteLLM's price map has no '{route.model}', and the route has no price", fix
    if route.api_key is None and not _credentials(route) & {name.lower() for name in route.headers}:
        yield (*at, "api_key"), "missing", "set ANTHROPIC_API_KEY and write `api_key: ${ANTHROPIC_API_KEY}`"
    if route.base_url is not None and (fault := _url_fault(route.base_url)) is not None:
        yield (*at, "base_url"), fault, "write it like `https://api.anthropic.com`"


def _credentials(route: RouteSection) -> set[str]:
    """The headers that do what `api_key` does."""
    return {"authorization", "x-api-key"} if route.backend == "claude" else {"authorization"}


def _check_foreign_keys(at: Location, route: RouteSection) -> Iterator[Report]:
    for key, backends in _BELONGS_TO.items():
        if getattr(route, key) is not None and route.backend not in backends:
            fix = f"remove it, or write `backend: {backends[0]}` for {at[-1]}"
            yield (*at, key), f"belongs to the backend '{backends[0]}'", fix


def _url_fault(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return "not an http address"
    return _part_fault(parts) if usable else "not an http address"


def _part_fault(parts: SplitResult) -> str | None:
    if parts.username is not None:
        return "holds credentials, which belong to `api_key` or `headers`"
    return "a query or fragment has no place here" if parts.query or parts.fragment else None


def _check_recorded(at: Location, route: RouteSection, directory: Path) -> Iterator[Report]:
    if route.recording is None:
        yield (*at, "recording"), "missing", "write the path of a recording (JSON lines), relative to this file"
    for key in ("recording", "prompts"):
        path = getattr(route, key)
        if path is not None and not (directory / path).is_file():
            yield (*at, key), f"no such file: {directory / path}", "correct the path; it is relative to this file"
            return
    if route.recording is not None:
        try:
            Recording(str(directory / route.recording), str(directory / route.prompts) if route.prompts else None)
        except RecordingError as error:
            yield (*at, "recording"), str(error), "docs/configuration.md says what a recording holds"


BACKEND_CHECKS: Mapping[Backend, Callable[[Location, RouteSection, Path], Iterator[Report]]] = {
    "vllm": _check_vllm,
    "claude": _check_claude,
    "recorded": _check_recorded,
}
"""What a route to each backend must have."""


def _check_price(at: Location, route: RouteSection) -> Iterator[Report]:
    if route.price is None:
        return
    given = route.price.model_fields_set
    shapes = [shape for shape in (_TOKEN_PRICE, _GPU_PRICE) if given & set(shape)]
    if len(shapes) == 1 and set(shapes[0]) <= given and not (shapes[0] == _GPU_PRICE and _CACHE_PRICE & given):
        return
    fix = "write {input, output} and perhaps {cached_input, cache_write, cache_write_1h} in USD per million tokens, "
    fix += "or {gpu_hour_usd, gpus, tokens_per_second}"
    yield (*at, "price"), "is neither a price per token nor one per GPU hour", fix
