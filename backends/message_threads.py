"""Anthropic's message threads (beta `message-threads-2026-08-12`): the server keeps the conversation itself.

vLLM takes the field `thread` for one that it does not know, and answers as if there were no history. Anthropic's SDKs
send it by themselves in their tool runner, and go on without it where they are told so in these words.
"""

import msgspec

from backends.backend import BackendError, Call

_MESSAGE = "This model's server keeps no message threads: send the whole conversation."
_DETAILS = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
_REFUSAL = {"type": "invalid_request_error", "message": _MESSAGE, "details": _DETAILS}
_BODY = msgspec.json.encode({"type": "error", "error": _REFUSAL})


def refuse_threads(call: Call) -> None:
    """Raises ``BackendError`` for a Messages call that would begin or go on with a thread."""
    if call.wire in ("messages", "count_tokens") and bytes(call.fields.get("thread", b"null")) != b"null":
        raise BackendError("status", "it keeps no message threads", status=400, body=_BODY)
