"""Our names of spans' attributes are those of the installed semantic conventions, or begin with our own."""

import importlib

import pytest

from gateway.telemetry import names

STABLE = ("http_attributes", "url_attributes", "server_attributes", "error_attributes", "service_attributes")
CONVENTIONS = [
    *(importlib.import_module(f"opentelemetry.semconv.attributes.{module}") for module in STABLE),
    importlib.import_module("opentelemetry.semconv._incubating.attributes.session_attributes"),
    # GenAI's names now grow in a repository of their own, open-telemetry/semantic-conventions-genai, which has no
    # Python package. The last ones that moved there are in the installed package, all that we use among them.
    importlib.import_module("opentelemetry.semconv._incubating.attributes.gen_ai_attributes"),
]
GEN_AI = CONVENTIONS[-1]
EVENTS = {"GEN_AI_EVALUATION_RESULT": "gen_ai.evaluation.result"}
"""As docs/gen-ai/gen-ai-events.md of that repository names them; no Python package has constants for events."""
OURS = {key: value for key, value in vars(names).items() if key.isupper() and isinstance(value, str) and "." in value}


@pytest.mark.parametrize(("constant", "name"), OURS.items())
def test_a_name_is_the_conventions_or_our_own(constant: str, name: str) -> None:
    if name.startswith("weighbridge."):
        assert constant == name.replace(".", "_").upper()
        return
    if constant in EVENTS:
        assert name == EVENTS[constant]
        return
    known = [vars(module)[constant] for module in CONVENTIONS if constant in vars(module)]
    assert known == [name]


def test_the_names_that_the_conventions_have_dropped_are_not_ours() -> None:
    dropped = {GEN_AI.GEN_AI_SYSTEM, GEN_AI.GEN_AI_USAGE_PROMPT_TOKENS, GEN_AI.GEN_AI_USAGE_COMPLETION_TOKENS}
    dropped |= {GEN_AI.GEN_AI_PROMPT, GEN_AI.GEN_AI_COMPLETION}
    assert len(dropped) == 5
    assert dropped.isdisjoint(OURS.values())


def test_operations_and_providers_are_the_conventions_words() -> None:
    operations = {value.value for value in GEN_AI.GenAiOperationNameValues}
    providers = {value.value for value in GEN_AI.GenAiProviderNameValues}
    assert names.CHAT in operations
    assert providers.issuperset(names.PROVIDERS.values())
