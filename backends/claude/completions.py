"""Completions for Claude, which only converses: the prompt is asked as a question, the answer given as plain text."""

from typing import Any

import msgspec

from backends.backend import Call
from backends.claude.answer import StreamedMessage, WholeMessage
from backends.claude.request import refused

_REFUSED = {
    "suffix": "Claude cannot fill in the middle; ask in words, as a chat",
    "echo": "the prompt is not given back",
    "best_of": "Claude gives one answer a request",
    "logprobs": "Claude gives no log probabilities",
}
_AS_IN_CHAT = ("max_tokens", "temperature", "top_p", "stop", "user", "n")


def chat_fields(call: Call) -> dict[str, Any]:
    """The decoded fields of a chat request that asks the same. Raises ``BackendError`` 400 for what Claude cannot be
    asked.
    """
    fields = {name: value for name, raw in call.fields.items() if (value := msgspec.json.decode(raw)) is not None}
    if fields.get("best_of") == 1:
        del fields["best_of"]
    for name, advice in _REFUSED.items():
        if fields.get(name):
            raise refused(f"`{name}` is not supported for Claude: {advice}", name)
    prompt = fields.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise refused("`prompt` must be one text: Claude takes no tokens, and one prompt a request", "prompt")
    asked = {name: fields[name] for name in _AS_IN_CHAT if name in fields}
    return {**asked, "messages": [{"role": "user", "content": prompt}]}


class WholeCompletion(WholeMessage):
    kind = "text_completion"

    def _choice(self, message: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
        return _choice(message, finish_reason)


class StreamedCompletion(StreamedMessage):
    kind = "text_completion"

    def _choice(self, delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
        return _choice(delta, finish_reason)


def _choice(made: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "text": made.get("content") or "", "logprobs": None, "finish_reason": finish_reason}
