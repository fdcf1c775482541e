"""A problem's answer on each wire."""

import pytest

from gateway.api import anthropic_error, openai_error
from gateway.problem import Passthrough, Problem


@pytest.mark.parametrize("shape", [openai_error, anthropic_error])
@pytest.mark.parametrize("status", [429, 503, 529])
@pytest.mark.parametrize("passthrough", [None, Passthrough(b'{"error": "theirs"}', "application/json")])
def test_whoever_shall_come_again_is_told_when(shape, status: int, passthrough: Passthrough | None) -> None:  # type: ignore[no-untyped-def]
    for retry_after, told in ((None, b"1"), (0, b"1"), (1.2, b"2"), (70, b"70")):
        problem = Problem(status, "busy", "busy", retry_after=retry_after, passthrough=passthrough)
        answered, headers, _ = shape.response(problem)
        assert (answered, dict(headers)[b"retry-after"]) == (status, told)


@pytest.mark.parametrize("shape", [openai_error, anthropic_error])
def test_whoever_asked_wrongly_is_told_no_time(shape) -> None:  # type: ignore[no-untyped-def]
    _, headers, _ = shape.response(Problem(400, "wrong", "wrong"))
    assert b"retry-after" not in dict(headers)
