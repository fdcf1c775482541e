"""The only module that imports LiteLLM: seconds of work and 200 MB, so it is itself imported on first use only.

LiteLLM translates and nothing else. It gets no key and no address, what it wants to send goes through ``Send``, and
its logging, callbacks, retries and fetching of images stay off.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import httpx
import msgspec

from backends.backend import BackendError
from backends.claude.request import refused

os.environ.update(  # read while it is imported
    LITELLM_LOCAL_MODEL_COST_MAP="True",  # or it calls out when imported
    LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS="True",  # or it calls out at the first request
    LITELLM_MODE="PRODUCTION",  # or it reads .env files
    LITELLM_DISABLE_BUG_REPORT_LINK="True",
    MAX_IMAGE_URL_DOWNLOAD_SIZE_MB="0",  # it shall not fetch what messages point to
)
for _name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
    logging.getLogger(_name).disabled = True  # they print prompts

import litellm  # noqa: E402
from litellm._internal_context import is_internal_call  # noqa: E402
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler  # noqa: E402
from litellm.responses.additional_tools import hoist_additional_tools  # noqa: E402
from litellm.responses.litellm_completion_transformation.custom_tools import extract_custom_tool_names  # noqa: E402
from litellm.responses.litellm_completion_transformation.transformation import (  # noqa: E402
    LiteLLMCompletionResponsesConfig as _Responses,
)

litellm.suppress_debug_info = True
litellm.disable_hf_tokenizer_download = True
litellm.disable_add_prefix_to_prompt = True  # it puts words into whole answers that streams do not have

Send = Callable[[bytes, Mapping[str, str]], Awaitable[bytes]]
"""Posts a Messages body with LiteLLM's headers; returns the whole answer, or nothing when a stream has begun."""

_NOWHERE = "https://unused.invalid"
_NO_KEY = "unused"
_SAMPLE = b'{"model": "m", "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn", "usage": {}}'
_SAMPLE_EVENT = b'{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}}'
_DELTA_FIELDS = ("reasoning_content", "thinking_blocks")


class ChatMessage(NamedTuple):
    """A whole answer in the words of the chat wire."""

    message: dict[str, Any]
    finish_reason: str


class ChatDelta(NamedTuple):
    """One event of a stream in the words of the chat wire; empty where it holds nothing for the client."""

    delta: dict[str, Any]
    finish_reason: str | None


class ResponsesAsChat(NamedTuple):
    """A Responses request in the words of the chat wire, and how the names of its tools are to be read in an answer."""

    fields: dict[str, Any]
    custom: frozenset[str]
    """Tools whose arguments are a text; as a function they have one argument, ``content``."""
    namespaces: Mapping[str, tuple[str, str]]
    """A function's name to its namespace and its name there."""


def responses_as_chat(model: str, fields: Mapping[str, Any]) -> ResponsesAsChat:
    """Raises ``BackendError`` 400 for what cannot be translated."""
    try:
        hoisted = hoist_additional_tools(fields["input"], fields.get("tools"))
        tools = list(hoisted.tools)
        chat = _Responses.transform_responses_api_request_to_chat_completion_request(
            model=model,
            input=hoisted.input,
            responses_api_request={**fields, "tools": tools},
            custom_llm_provider="anthropic",
        )
        # Pydantic models may stand among the messages.
        plain = msgspec.to_builtins(chat, enc_hook=lambda part: part.model_dump(exclude_none=True))
        custom = frozenset(extract_custom_tool_names(tools))
        return ResponsesAsChat(plain, custom, _Responses.namespace_tool_name_map(tools))
    except Exception as error:  # noqa: BLE001 (it raises whatever comes)
        raise _untranslated(error, sent=False) from None


async def whole(model: str, arguments: Mapping[str, Any], send: Send) -> ChatMessage:
    """Raises ``BackendError``: what ``send`` raised, 400 for what cannot be asked, or ``malformed``."""
    answer = await _complete(model, arguments, send, stream=False)
    choice = answer.choices[0]
    fields = {"role": "assistant", "content": choice.message.content, **_made(choice.message)}
    for call in fields.get("tool_calls", ()):
        call.pop("index", None)  # belongs to streams
    return ChatMessage(fields, choice.finish_reason)


async def stream(model: str, arguments: Mapping[str, Any], send: Send) -> "StreamTranslator":
    """Raises as ``whole`` does."""
    answer = await _complete(model, arguments, send, stream=True)
    return StreamTranslator(answer.completion_stream)


class StreamTranslator:
    """Fed event by event. LiteLLM's own loop around this takes ten times as long and ends cut streams as if whole."""

    def __init__(self, events: Any) -> None:
        self._parse = events.chunk_parser

    def read(self, data: bytes) -> ChatDelta:
        """Raises ``BackendError`` for an event that LiteLLM does not understand."""
        try:
            choice = self._parse(msgspec.json.decode(data)).choices[0]
        except Exception as error:  # noqa: BLE001 (it raises whatever comes)
            raise _not_understood(error) from None
        made = _made(choice.delta)
        if choice.delta.content:
            made["content"] = choice.delta.content
        return ChatDelta(made, choice.finish_reason or None)


def warm_up() -> None:
    """The first call loads another 40 modules and a tokenizer: takes that from the first request. Sends nothing."""

    async def nowhere(_: bytes, __: Mapping[str, str]) -> bytes:
        return _SAMPLE

    arguments = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    asyncio.run(whole("claude-haiku-4-5", arguments, nowhere))
    asyncio.run(stream("claude-haiku-4-5", arguments, nowhere)).read(_SAMPLE_EVENT)


async def _complete(model: str, arguments: Mapping[str, Any], send: Send, *, stream: bool) -> Any:
    client = _Client(send)
    internal = is_internal_call.set(True)  # no logging, no callbacks
    try:
        return await litellm.acompletion(
            model=model,
            custom_llm_provider="anthropic",
            stream=stream,
            client=client,
            api_key=_NO_KEY,
            base_url=_NOWHERE,
            max_retries=0,
            num_retries=0,
            drop_params=True,  # newer models take no temperature: the request goes on without it
            _skip_mcp_handler=True,
            **arguments,
        )
    except Exception as error:  # noqa: BLE001 (it raises whatever comes)
        # Its messages hold prompts, so the chain ends here.
        raise client.error or _untranslated(error, client.sent) from None
    finally:
        is_internal_call.reset(internal)


class _Client(AsyncHTTPHandler):  # type: ignore[misc]  # LiteLLM's types are not checked
    """What LiteLLM takes for its HTTP client. Holds no connection of its own."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.sent = False
        self.error: BackendError | None = None

    def __del__(self) -> None:
        """There is nothing to close."""

    async def post(
        self,
        url: str,
        data: str | None = None,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> httpx.Response:
        self.sent = True
        body = data.encode() if data is not None else msgspec.json.encode(json)
        try:
            answer = await self._send(body, headers or {})
        except BackendError as error:
            self.error = error
            raise
        return httpx.Response(200, content=answer, request=httpx.Request("POST", url))


def _made(part: Any) -> dict[str, Any]:
    """What the model made besides its text."""
    made = {name: value for name in _DELTA_FIELDS if (value := getattr(part, name, None))}
    if part.tool_calls:
        made["tool_calls"] = [call.model_dump(exclude_none=True) for call in part.tool_calls]
    return made


def _untranslated(error: Exception, sent: bool) -> BackendError:
    if sent:
        return _not_understood(error)
    reason = str(error).partition("\n")[0][:300] if isinstance(error, litellm.BadRequestError) else "it is malformed"
    return refused(f"this request cannot be translated for Claude: {reason}", code="untranslatable")


def _not_understood(error: Exception) -> BackendError:
    return BackendError("malformed", f"Claude's answer could not be translated ({type(error).__name__})")
