"""Filling in the middle: a completion's ``prompt`` and ``suffix`` as one prompt, in the model's own special tokens.

vLLM refuses ``suffix`` for models that it has no such rendering for. Each template names where its makers describe it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

_PLACES = re.compile(r"{(prefix|suffix)}")


@dataclass(frozen=True, slots=True)
class FimTemplate:
    """``prompt`` holds ``{prefix}`` and ``{suffix}`` once each; ``stop`` is what a model says when the gap is full."""

    prompt: str
    stop: tuple[str, ...] = ()


_GRANITE_4_STOPS = ("<|end_of_text|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>")
TEMPLATES: Mapping[str, FimTemplate] = {
    # github.com/QwenLM/Qwen3-Coder, "Fill in the middle" (Qwen 3 does well with it outside of a turn, too: llama.cpp)
    "qwen-coder": FimTemplate(
        "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
        (
            *("<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"),
            *("<|repo_name|>", "<|file_sep|>", "<|im_start|>", "<|im_end|>"),
        ),
    ),
    # huggingface.co/bigcode/starcoder; arxiv.org/abs/2402.19173 (StarCoder 2), section 5.1
    "starcoder": FimTemplate(
        "<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",
        ("<|endoftext|>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<file_sep>", "<repo_name>"),
    ),
    # github.com/meta-llama/codellama, llama/generation.py: infilling_prompt_tokens
    "codellama": FimTemplate("<PRE> {prefix} <SUF>{suffix} <MID>", ("<EOT>",)),
    # github.com/deepseek-ai/DeepSeek-Coder, "Code Insertion"
    "deepseek-coder": FimTemplate(
        "<｜fim▁begin｜>{prefix}<｜fim▁hole｜>{suffix}<｜fim▁end｜>",  # noqa: RUF001
        ("<｜end▁of▁sentence｜>", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),  # noqa: RUF001
    ),
    # github.com/mistralai/mistral-common: encode_fim
    "codestral": FimTemplate("[SUFFIX]{suffix}[PREFIX]{prefix}", ("</s>", "[SUFFIX]", "[PREFIX]")),
    # github.com/ibm-granite/granite-code-models/issues/3: as StarCoder; tokenizer_config.json of granite-3.3-8b-base
    "granite-code": FimTemplate(
        "<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",
        ("<|endoftext|>", "<|end_of_text|>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    ),
    # github.com/ibm-granite/granite-4.0-language-models, its prompt engineering guide: FIM is a user's turn
    "granite-4": FimTemplate(
        "<|start_of_role|>user<|end_of_role|><|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|><|end_of_text|>\n"
        "<|start_of_role|>assistant<|end_of_role|>",
        _GRANITE_4_STOPS,
    ),
    # the same tokens; a base model knows no turns
    "granite-4-base": FimTemplate("<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>", _GRANITE_4_STOPS),
    # ai.google.dev/gemma/docs/codegemma/prompt-structure
    "codegemma": FimTemplate(
        "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
        ("<|file_separator|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<eos>"),
    ),
}

_FAMILIES = (
    (re.compile(r"qwen(2\.5|3)-?coder"), "qwen-coder"),
    (re.compile(r"starcoder"), "starcoder"),
    (re.compile(r"code-?llama"), "codellama"),
    (re.compile(r"deepseek-coder"), "deepseek-coder"),
    (re.compile(r"(?<!mamba-)codestral"), "codestral"),
    (re.compile(r"granite.*code|granite-3\.3.*base"), "granite-code"),
    (re.compile(r"granite-4.*base"), "granite-4-base"),
    (re.compile(r"granite-4"), "granite-4"),
    (re.compile(r"codegemma"), "codegemma"),
)


def known_template(model: str) -> FimTemplate | None:
    """By the model's name, as the server lists it; None for one that is not a known code model."""
    name = model.lower()
    return next((TEMPLATES[family] for pattern, family in _FAMILIES if pattern.search(name)), None)


def fault_of(prompt: str) -> str | None:
    """What is wrong with a template's prompt."""
    places = sorted(_PLACES.findall(prompt))
    return None if places == ["prefix", "suffix"] else "does not hold {prefix} and {suffix} once each"


def without_suffix(fields: Mapping[str, msgspec.Raw], template: FimTemplate) -> Mapping[str, msgspec.Raw]:
    """A completion's body with the gap written into its prompt; as it came unless both are texts.

    ``echo`` is left to the server, which refuses it beside a suffix: it would echo the template.
    """
    texts = {"prefix": _text(fields, "prompt"), "suffix": _text(fields, "suffix")}
    if None in texts.values() or bytes(fields.get("echo", b"")) == b"true":
        return fields
    prompt = _PLACES.sub(lambda place: texts[place[1]] or "", template.prompt)
    changed = {name: raw for name, raw in fields.items() if name != "suffix"}
    changed["prompt"] = msgspec.Raw(msgspec.json.encode(prompt))
    if template.stop and (stop := _with_stops(fields.get("stop"), template.stop)) is not None:
        changed["stop"] = stop
        # A special token that is skipped would never be seen to stop at.
        changed["skip_special_tokens"] = msgspec.Raw(b"false")
    return changed


def _with_stops(raw: msgspec.Raw | None, more: tuple[str, ...]) -> msgspec.Raw | None:
    """The client's stops and the model's; None where the client's are not texts, which the server is to say."""
    given = msgspec.json.decode(raw) if raw else None
    given = [given] if isinstance(given, str) else given or []
    if not isinstance(given, list) or not all(isinstance(stop, str) for stop in given):
        return None
    return msgspec.Raw(msgspec.json.encode(list(dict.fromkeys((*given, *more)))))


def _text(fields: Mapping[str, msgspec.Raw], name: str) -> str | None:
    value = msgspec.json.decode(fields[name]) if name in fields else None
    return value if isinstance(value, str) else None
