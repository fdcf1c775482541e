"""Prometheus metrics of the serving path. Label values come from the configuration, never from a request."""

from itertools import pairwise

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.ledger.events import Settled

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """Children are kept, because looking one up by its labels costs more than counting."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        """``registry`` None: the metrics live in the multi-process files that Prometheus' client finds by itself."""
        by_outcome = ("route", "policy", "wire", "outcome", "cache")
        self._requests = Counter("weighbridge_requests", "Requests settled", by_outcome, registry=registry)
        self._problems = Counter("weighbridge_problems", "Error answers to clients", ("code",), registry=registry)
        by_route = ("route",)
        self._first = Histogram(
            "weighbridge_time_to_first_token_seconds", "From the request to its first content", by_route,
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._total = Histogram(
            "weighbridge_request_duration_seconds", "From the request to its last byte", by_route,
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._tokens = Counter("weighbridge_tokens", "Tokens billed", ("route", "kind"), registry=registry)
        self._cached = Counter(
            "weighbridge_cached_input_tokens", "Input tokens that the provider had cached, part of those billed",
            by_route, registry=registry,
        )  # fmt: skip
        self._written = Counter(
            "weighbridge_cache_write_tokens", "Input tokens that the provider wrote to its cache, part of those billed",
            by_route, registry=registry,
        )  # fmt: skip
        self._cost = Counter("weighbridge_cost_nanousd", "Cost in nano-dollars", by_route, registry=registry)
        self._attempts = Counter("weighbridge_attempts", "Upstream attempts", ("route", "outcome"), registry=registry)
        self._retries = Counter(
            "weighbridge_retries", "Attempts after a request's first, by the outcome of the one before",
            ("route", "reason"), registry=registry,
        )  # fmt: skip
        self._client_retries = Counter(
            "weighbridge_client_retries", "Requests that their clients had sent before, in vain", ("wire",),
            registry=registry,
        )  # fmt: skip
        self._affinity = Counter(
            "weighbridge_affinity", "Attempts at routes with several replicas, by what was known of the conversation",
            ("route", "outcome"), registry=registry,
        )  # fmt: skip
        self._shadows = Counter(
            "weighbridge_shadow_dropped", "Requests that were not mirrored, though they were to be",
            ("policy", "reason"), registry=registry,
        )  # fmt: skip
        self._spans = Counter("weighbridge_spans", "Spans for the collector", ("outcome",), registry=registry)
        self._valkey = Counter("weighbridge_valkey_failures", "Commands that Valkey did not serve", registry=registry)
        self._overruns = Counter(
            "weighbridge_budget_overrun_nanousd", "What requests cost beyond what their keys' budgets had reserved",
            ("budget",), registry=registry,
        )  # fmt: skip
        self.in_flight = Gauge(
            "weighbridge_requests_in_flight", "Requests being served", registry=registry, multiprocess_mode="livesum"
        )
        self.waiting = Gauge(
            "weighbridge_requests_waiting", "Requests that wait until it is their turn to be served",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self._children: dict[tuple[str, ...], Counter | Histogram] = {}

    def problem(self, code: str) -> None:
        self._counter(self._problems, code).inc()

    def client_retried(self, wire: str) -> None:
        self._counter(self._client_retries, wire).inc()

    def placed(self, route: str, outcome: str) -> None:
        self._counter(self._affinity, route, outcome).inc()

    def shadow_dropped(self, policy: str, reason: str) -> None:
        self._counter(self._shadows, policy, reason).inc()

    def spans(self, outcome: str, count: int) -> None:
        self._counter(self._spans, outcome).inc(count)

    def valkey_failed(self) -> None:
        self._valkey.inc()

    def overran(self, budget: str, nanousd: int) -> None:
        """``budget``: `hard` or `soft`."""
        self._counter(self._overruns, budget).inc(nanousd)

    def settled(self, row: Settled) -> None:
        self._counter(self._requests, row.route, row.policy, row.wire, row.outcome, row.cache).inc()
        self._histogram(self._total, row.route).observe(row.total_ms / 1000)
        if row.ttft_ms is not None:
            self._histogram(self._first, row.route).observe(row.ttft_ms / 1000)
        if row.input_tokens or row.output_tokens:
            self._counter(self._tokens, row.route, "input").inc(row.input_tokens)
            self._counter(self._tokens, row.route, "output").inc(row.output_tokens)
            self._counter(self._cost, row.route).inc(row.cost_nanousd)
        if row.cached_input_tokens:
            self._counter(self._cached, row.route).inc(row.cached_input_tokens)
        if row.cache_write_tokens:
            self._counter(self._written, row.route).inc(row.cache_write_tokens)
        for attempt in row.attempts:
            self._counter(self._attempts, attempt.route, attempt.outcome).inc()
        for before, attempt in pairwise(row.attempts):
            self._counter(self._retries, attempt.route, before.outcome).inc()

    def _counter(self, metric: Counter, *labels: str) -> Counter:
        key = (metric._name, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        assert isinstance(child, Counter)
        return child

    def _histogram(self, metric: Histogram, *labels: str) -> Histogram:
        key = (metric._name, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        assert isinstance(child, Histogram)
        return child
