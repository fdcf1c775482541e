"""Fixtures live in tests/fixtures, a module each."""

pytest_plugins = [
    "tests.fixtures.upstream",
    "tests.fixtures.full",
    "tests.fixtures.gateway",
    "tests.fixtures.otlp_receiver",
    "tests.fixtures.vllm",
    "tests.fixtures.docker",
]
