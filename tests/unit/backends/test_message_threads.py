"""A vLLM server keeps no threads, and a client is told so in the words after which it sends the whole conversation."""

import json
from typing import Any

import msgspec
import pytest

from backends.backend import BackendError, Call, WireName
from backends.message_threads import refuse_threads


def call(wire: WireName = "messages", **fields: Any) -> Call:
    return Call(wire, {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()}, False, False)


@pytest.mark.parametrize("thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}])
def test_a_thread_is_refused(thread: dict[str, str]) -> None:
    with pytest.raises(BackendError) as raised:
        refuse_threads(call(thread=thread))
    error = json.loads(raised.value.body)["error"]
    assert (raised.value.status, error["type"]) == (400, "invalid_request_error")
    assert error["details"]["error_code"] == "thread_unsupported_request"


def test_everything_else_passes() -> None:
    refuse_threads(call())
    refuse_threads(call(thread=None))
    refuse_threads(call("chat", thread={"type": "create"}))
