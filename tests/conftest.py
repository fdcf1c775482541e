"""Fixtures live in tests/fixtures, a module each."""

from hypothesis import HealthCheck, settings

# No timing is asserted, not hypothesis's own either: a busy machine is no bug.
settings.register_profile("weighbridge", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("weighbridge")

pytest_plugins = [
    "tests.fixtures.upstream",
    "tests.fixtures.full",
    "tests.fixtures.gateway",
    "tests.fixtures.otlp_receiver",
    "tests.fixtures.vllm",
    "tests.fixtures.docker",
    "tests.fixtures.sandbox_engine",
    "tests.fixtures.sandboxes",
    "tests.fixtures.worker_loop",
    "tests.fixtures.http1",
]
