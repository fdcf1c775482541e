"""The Messages wire, spoken by Anthropic's own package: what a tool that is built on it would get through the gateway.

Importing this takes most of a second; ``client`` does it where the wire is asked for.
"""

import time
from collections.abc import Mapping
from typing import Any

import anthropic
import httpx2
from anthropic.types import RawMessageStreamEvent

from backends.usage import Usage
from evaluator.replaying.answer import Answer, BrokenAnswer
from evaluator.replaying.calls import CallFailed, Refused, failure
from evaluator.replaying.wires import Sampling

_FINISH = {"max_tokens": "length", "model_context_window_exceeded": "length"}
"""Stop reasons in the words of chat; all others are `stop`."""
_NO_KEY = "none"
_VERSION = "2023-06-01"
"""The last version of the API that takes a temperature, without which there would be another method on this wire."""
_SAMPLINGS = (("temperature", "top_p"), ("temperature",), ())
"""What a server may be told of the sampling: Claude takes no `top_p` beside a temperature, some models neither."""


class MessagesWire:
    """One connection pool to one endpoint. ``base_url`` ends in ``/v1``. Raises Refused where it cannot be spoken."""

    def __init__(self, base_url: str, api_key: str | None, headers: Mapping[str, str], timeout_s: float) -> None:
        if not base_url.endswith("/v1"):
            raise Refused(f"the messages wire is at a path /v1/messages, and {base_url} does not end in /v1")
        self._sdk = anthropic.AsyncAnthropic(
            base_url=base_url.removesuffix("/v1"),
            api_key=api_key or _NO_KEY,
            max_retries=0,
            timeout=timeout_s,
            default_headers={**headers, "anthropic-version": _VERSION},
        )
        self._samplings = list(_SAMPLINGS)

    async def close(self) -> None:
        await self._sdk.close()

    async def ask(self, model: str, text: str, sampling: Sampling, headers: Mapping[str, str]) -> Answer:
        """One streamed message, read to its end. Raises CallFailed, or Refused if every call would fail.

        Of the sampling it tells what the server takes: what it refuses once it is not told again.
        """
        while True:
            told = self._samplings[0]
            try:
                return await self._translated(model, text, sampling, headers, told)
            except CallFailed as failed:
                if failed.retryable or not any(name in str(failed) for name in told):
                    raise
                if self._samplings[0] == told:  # or else another call found out at the same time
                    self._samplings.pop(0)

    async def _translated(
        self, model: str, text: str, sampling: Sampling, headers: Mapping[str, str], told: tuple[str, ...]
    ) -> Answer:
        try:
            return await self._ask(model, text, sampling, headers, told)
        except anthropic.APIStatusError as error:
            body = error.body if isinstance(error.body, dict) else {}
            message = str((body.get("error") or {}).get("message") or error.message)
            if error.status_code == 200:  # an error event in a stream that had begun
                raise CallFailed(f"broke off: {message}", error.response.headers) from error
            raise failure(error.status_code, message, error.response.headers) from error
        except anthropic.APIConnectionError as error:
            raise CallFailed(f"{type(error).__name__}: {error.__cause__ or error}", {}) from error
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError) as error:  # ValueError: an event is no JSON
            raise CallFailed(f"{type(error).__name__}: {error}".removesuffix(": "), {}) from error

    async def _ask(
        self, model: str, text: str, sampling: Sampling, headers: Mapping[str, str], told: tuple[str, ...]
    ) -> Answer:
        started = time.perf_counter()
        response = await self._sdk.messages.with_raw_response.create(
            model=model,
            max_tokens=sampling.max_tokens,
            messages=[{"role": "user", "content": text}],
            stream=True,
            extra_headers=dict(headers),
            extra_body={name: getattr(sampling, name) for name in told},
        )
        reading = _Reading(started)
        async with await response.parse() as events:
            async for event in events:
                reading.take(event)
        try:
            return reading.answer(response.headers)
        except BrokenAnswer as error:
            raise CallFailed(str(error), response.headers) from error


class _Reading:
    def __init__(self, started: float) -> None:
        self._started = started
        self._text: list[str] = []
        self._first: float | None = None
        self._stop_reason: str | None = None
        self._stopped = False
        self._counts: dict[str, Any] = {}

    def take(self, event: RawMessageStreamEvent) -> None:
        match event.type:
            case "message_start":
                self._counts.update(event.message.usage.to_dict())
            case "content_block_delta":
                if self._first is None:
                    self._first = time.perf_counter()
                if event.delta.type == "text_delta":
                    self._text.append(event.delta.text)
            case "message_delta":
                self._stop_reason = event.delta.stop_reason
                self._counts.update({key: value for key, value in event.usage.to_dict().items() if value is not None})
            case "message_stop":
                self._stopped = True

    def answer(self, headers: Mapping[str, str]) -> Answer:
        if not self._stopped or self._stop_reason is None:
            raise BrokenAnswer("the stream ended without a stop reason")
        read = self._counts.get("cache_read_input_tokens") or 0
        written = self._counts.get("cache_creation_input_tokens") or 0
        fresh = self._counts.get("input_tokens") or 0
        return Answer(
            text="".join(self._text),
            finish_reason=_FINISH.get(self._stop_reason, "stop"),
            usage=Usage(fresh + read + written, self._counts.get("output_tokens") or 0, read, written),
            ttft_ms=None if self._first is None else (self._first - self._started) * 1000,
            total_ms=(time.perf_counter() - self._started) * 1000,
            headers=headers,
        )
