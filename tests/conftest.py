"""Fixtures live in tests/fixtures, a module each."""

import signal

from hypothesis import HealthCheck, settings

# No timing is asserted, not hypothesis's own either: a busy machine is no bug.
settings.register_profile("weighbridge", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("weighbridge")

# A shell starts what it puts in the background without Ctrl-C, and whoever is started inherits that; tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "tests.fixtures.canary",
    "tests.fixtures.upstream",
    "tests.fixtures.full",
    "tests.fixtures.gateway",
    "tests.fixtures.otlp_receiver",
    "tests.fixtures.vllm",
    "tests.fixtures.torch_python",
    "tests.fixtures.docker",
    "tests.fixtures.sandbox_engine",
    "tests.fixtures.sandboxes",
    "tests.fixtures.worker_loop",
    "tests.fixtures.http1",
    "tests.fixtures.postgres",
    "tests.fixtures.stores",
]
