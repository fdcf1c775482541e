from typing import get_args

from backends.registry import BACKENDS
from gateway.config.checks import BACKEND_CHECKS
from gateway.config.schema import Backend


def test_a_backend_can_be_named_in_a_file_and_says_what_its_routes_need() -> None:
    assert set(get_args(Backend)) == BACKENDS.keys() == BACKEND_CHECKS.keys()
