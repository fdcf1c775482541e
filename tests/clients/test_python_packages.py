"""The packages `openai` and `anthropic`: a loop of streamed tool calls that writes a file, on every wire they speak."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.clients.agents import CONTENT
from tests.clients.desk import API_KEY
from tests.clients.houses import ALIASES, House
from tests.clients.manual import PACKAGES, chapter
from tests.clients.scripted_model import writes

PARAMETERS = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
    "required": ["path", "content"],
    "additionalProperties": False,
}
TASK = {"role": "user", "content": "Write hello.py"}
WRITE = {"name": "write_file", "description": "Writes a file.", "parameters": PARAMETERS, "strict": True}


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Callable[[House], None]:
    """Sets the variables that docs/clients.md gives; both packages read them."""

    def enter(house: House) -> None:
        for line in chapter(PACKAGES, house.gateway.url).commands.splitlines():
            for pair in line.removeprefix("export ").split():
                name, _, value = pair.partition("=")
                monkeypatch.setenv(name, value.replace("$WEIGHBRIDGE_API_KEY", API_KEY))

    return enter


def write_file(path: str, content: str) -> str:
    """Writes a file."""
    Path(path).write_text(content)
    return "written"


def chat() -> str:
    messages, tools = list[Any]([TASK]), list[Any]([{"type": "function", "function": WRITE}])
    with openai.OpenAI() as client:
        while True:
            with client.chat.completions.stream(model="auto", messages=messages, tools=tools) as stream:
                message = stream.get_final_completion().choices[0].message
            messages.append(message.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True))
            if not message.tool_calls:
                return message.content or ""
            for call in message.tool_calls:
                said = write_file(**call.function.parsed_arguments)  # type: ignore[arg-type]
                messages.append({"role": "tool", "tool_call_id": call.id, "content": said})


def responses() -> str:
    items, tools = list[Any]([TASK]), list[Any]([{"type": "function", **WRITE}])
    with openai.OpenAI() as client:
        while True:
            with client.responses.stream(model="auto", input=items, tools=tools, store=False) as stream:
                response = stream.get_final_response()
            calls = [item for item in response.output if item.type == "function_call"]
            if not calls:
                return response.output_text
            items += [item.model_dump(exclude={"parsed_arguments"}, exclude_none=True) for item in response.output]
            for call in calls:
                said = write_file(**call.parsed_arguments)  # type: ignore[arg-type]
                items.append({"type": "function_call_output", "call_id": call.call_id, "output": said})


def messages() -> str:
    tool = anthropic.beta_tool(write_file)
    task: Any = [TASK]
    with anthropic.Anthropic() as client:
        run = client.beta.messages.tool_runner(model="auto", max_tokens=999, messages=task, tools=[tool], stream=True)
        last = [stream.get_final_message() for stream in run][-1]
    return "".join(block.text for block in last.content if block.type == "text")


def run(loop: Callable[[], str], house: House, folder: Path) -> None:
    file = folder / "hello.py"
    house.play(writes("write_file", {"path": str(file), "content": CONTENT}))
    assert loop() == "It is written."
    assert file.read_text() == CONTENT
    assert [(request.results, request.body["stream"]) for request in house.asked()] == [(0, True), (1, True)]


@pytest.mark.parametrize("loop", [chat, responses, messages])
def test_a_loop_writes_a_file(
    vllm: House, surroundings: Callable[[House], None], loop: Callable[[], str], tmp_path: Path
) -> None:
    surroundings(vllm)
    run(loop, vllm, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("loop", [chat, responses, messages])
def test_a_loop_writes_a_file_through_claude(
    claude: House, surroundings: Callable[[House], None], loop: Callable[[], str], tmp_path: Path
) -> None:
    surroundings(claude)
    run(loop, claude, tmp_path)


def test_tokens_are_counted_and_models_found(vllm: House, surroundings: Callable[[House], None]) -> None:
    surroundings(vllm)
    with anthropic.Anthropic() as client:
        counted = client.messages.count_tokens(model="auto", messages=[{"role": "user", "content": "hi"}])
        names = [model.id for model in client.models.list(limit=1000)]
    assert (counted.input_tokens, names) == (900, ["only", "auto", *ALIASES])
    with openai.OpenAI() as other:
        assert [model.id for model in other.models.list()] == names
