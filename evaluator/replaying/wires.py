"""The wires that a task can be asked on: what is sent, and how what comes back is read.

`messages` is not here: it is spoken by Anthropic's own package, see ``messages_wire``.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from evaluator.replaying.answer import Answer, read_stream, read_whole
from evaluator.replaying.answer_responses import read_response, read_response_stream

Wire = Literal["chat", "responses", "messages"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """The method's parameters; ``max_tokens`` counts the answer's tokens."""

    temperature: float = 0.2
    top_p: float = 0.95
    max_tokens: int = 512


@dataclass(frozen=True, slots=True)
class Form:
    """One of OpenAI's wires. Readers get headers and when the request was sent; both may raise BrokenAnswer."""

    path: str
    body: Callable[[str, str, Sampling], dict[str, object]]
    """From the model, the question and the sampling."""
    read_stream: Callable[[AsyncIterator[bytes], Mapping[str, str], float], Awaitable[Answer]]
    read_whole: Callable[[bytes, Mapping[str, str], float], Answer]


def _chat(model: str, text: str, sampling: Sampling) -> dict[str, object]:
    messages = [{"role": "user", "content": text}]
    return {
        "model": model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        **asdict(sampling),
    }


def _responses(model: str, text: str, sampling: Sampling) -> dict[str, object]:
    return {
        "model": model,
        "input": text,
        "stream": True,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_output_tokens": sampling.max_tokens,
        "store": False,
    }


CHAT = Form("/chat/completions", _chat, read_stream, read_whole)
RESPONSES = Form("/responses", _responses, read_response_stream, read_response)
