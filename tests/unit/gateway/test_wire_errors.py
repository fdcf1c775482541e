"""A problem's answer on each wire."""

import msgspec
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
        told_status = 503 if (shape, status) == (openai_error, 529) else status
        assert (answered, dict(headers)[b"retry-after"]) == (told_status, told)


def test_an_overload_is_said_in_each_wires_own_words() -> None:
    theirs = Passthrough(b'{"type": "error"}', "application/json")
    problem = Problem(529, "upstream_unavailable", "busy", passthrough=theirs)
    status, _, body = openai_error.response(problem)
    assert (status, msgspec.json.decode(body)["error"]["code"]) == (503, "server_is_overloaded")
    status, _, body = anthropic_error.response(problem)
    assert (status, body) == (529, theirs.body)


@pytest.mark.parametrize("shape", [openai_error, anthropic_error])
def test_whoever_asked_wrongly_is_told_no_time(shape) -> None:  # type: ignore[no-untyped-def]
    _, headers, _ = shape.response(Problem(400, "wrong", "wrong"))
    assert b"retry-after" not in dict(headers)


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (b'{"type": "error",\n "error": {"type": "overloaded_error", "message": "Overloaded"}}', "Overloaded"),
        (b'{"error": {"message": "of another wire"}}', "busy"),
        (b"<html>", "busy"),
    ],
)
def test_an_error_event_of_messages_has_the_providers_words_where_they_are_of_this_wire(
    theirs: bytes, message: str
) -> None:
    problem = Problem(529, "upstream_unavailable", "busy", passthrough=Passthrough(theirs, "application/json"))
    name, data = anthropic_error.event(problem).removesuffix(b"\n\n").split(b"\n")
    assert name == b"event: error"
    assert msgspec.json.decode(data.removeprefix(b"data: "))["error"]["message"] == message
