"""Templates, and what they make of a completion's body."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.fim import TEMPLATES, FimTemplate, fault_of, known_template, without_suffix
from gateway.config.schema import FimName

USER = "<|start_of_role|>user<|end_of_role|>"
ASSISTANT = "<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>"
QWEN = TEMPLATES["qwen-coder"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def sent(template: FimTemplate, **body: Any) -> Any:
    fields = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in body.items()}
    return msgspec.json.decode(msgspec.json.encode(without_suffix(fields, template)))


@pytest.mark.parametrize(
    ("model", "prompt"),
    [
        ("Qwen/Qwen2.5-Coder-1.5B", "<|fim_prefix|>a<|fim_suffix|>z<|fim_middle|>"),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "<|fim_prefix|>a<|fim_suffix|>z<|fim_middle|>"),
        ("bigcode/starcoder2-7b", "<fim_prefix>a<fim_suffix>z<fim_middle>"),
        ("codellama/CodeLlama-7b-hf", "<PRE> a <SUF>z <MID>"),
        ("deepseek-ai/deepseek-coder-6.7b-base", "<｜fim▁begin｜>a<｜fim▁hole｜>z<｜fim▁end｜>"),  # noqa: RUF001
        ("mistralai/Codestral-22B-v0.1", "[SUFFIX]z[PREFIX]a"),
        ("ibm-granite/granite-8b-code-base-4k", "<fim_prefix>a<fim_suffix>z<fim_middle>"),
        ("ibm-granite/granite-3.3-8b-base", "<fim_prefix>a<fim_suffix>z<fim_middle>"),
        ("ibm-granite/granite-4.0-h-small", f"{USER}<|fim_prefix|>a<|fim_suffix|>z<|fim_middle|>{ASSISTANT}"),
        ("ibm-granite/granite-4.0-h-small-base", "<|fim_prefix|>a<|fim_suffix|>z<|fim_middle|>"),
        ("google/codegemma-2b", "<|fim_prefix|>a<|fim_suffix|>z<|fim_middle|>"),
    ],
)
def test_known_models_are_told_by_their_names(model: str, prompt: str) -> None:
    template = known_template(model)
    assert template is not None
    assert sent(template, prompt="a", suffix="z")["prompt"] == prompt


@pytest.mark.parametrize(
    "model", ["meta-llama/Llama-3.1-70B-Instruct", "mistralai/Mamba-Codestral-7B-v0.1", "granite-3.3-8b-instruct", "m"]
)
def test_other_models_have_none(model: str) -> None:
    assert known_template(model) is None


def test_the_configuration_knows_every_template_and_each_is_sound() -> None:
    assert set(get_args(FimName)) == {"none", *TEMPLATES}
    assert [fault_of(template.prompt) for template in TEMPLATES.values()] == [None] * len(TEMPLATES)


def test_the_suffix_goes_and_the_models_stops_are_added_to_the_clients() -> None:
    body = sent(QWEN, prompt="a", suffix="z", stop=["\n", "<|endoftext|>"], max_tokens=9)
    assert "suffix" not in body
    assert body["stop"] == ["\n", *QWEN.stop]
    assert (body["skip_special_tokens"], body["max_tokens"]) == (False, 9)
    assert sent(QWEN, prompt="a", suffix="z", stop="x")["stop"] == ["x", *QWEN.stop]
    assert sent(QWEN, prompt="a", suffix="z", stop=None)["stop"] == [*QWEN.stop]
    assert "stop" not in sent(FimTemplate("{prefix}|{suffix}"), prompt="a", suffix="z")


def test_an_empty_suffix_is_one() -> None:
    assert sent(QWEN, prompt="a", suffix="")["prompt"] == "<|fim_prefix|>a<|fim_suffix|><|fim_middle|>"


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": ["a", "b"], "suffix": "z"},
        {"prompt": [1, 2], "suffix": "z"},
        {"prompt": "a", "suffix": None},
        {"prompt": "a", "suffix": 1},
        {"suffix": "z"},
        {"prompt": "a"},
        {"prompt": "a", "suffix": "z", "echo": True},
    ],
)
def test_what_is_no_gap_in_a_text_goes_as_it_came(body: dict[str, Any]) -> None:
    assert sent(QWEN, **body) == body


@given(prefix=st.text(), suffix=st.text())
def test_any_text_stands_in_the_prompt_as_it_was(prefix: str, suffix: str) -> None:
    prompt = sent(FimTemplate("<P>{prefix}<S>{suffix}<M>"), prompt=prefix, suffix=suffix)["prompt"]
    assert prompt == f"<P>{prefix}<S>{suffix}<M>"


@given(prompt=ANYTHING, suffix=ANYTHING, stop=ANYTHING, echo=ANYTHING)
def test_nothing_that_a_client_sends_is_an_error_here(prompt: Any, suffix: Any, stop: Any, echo: Any) -> None:
    body = sent(QWEN, prompt=prompt, suffix=suffix, stop=stop, echo=echo)
    assert ("suffix" in body) == (not isinstance(prompt, str) or not isinstance(suffix, str) or echo is True)


@pytest.mark.parametrize("prompt", ["{prefix}", "{suffix}", "{prefix}{suffix}{suffix}", "x", "{prefix} {suffix"])
def test_a_prompt_needs_both_places_once(prompt: str) -> None:
    assert fault_of(prompt) is not None
