import asyncio
import gzip
import json
from pathlib import Path

import msgspec
import pytest

from backends.backend import BackendError, Call
from backends.price import Price
from backends.recorded import RecordedBackend
from backends.recording import Recording, RecordingError
from backends.route import Route


def write(path: Path, *lines: dict[str, str]) -> str:
    text = "\n".join(json.dumps(line) for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return str(path)


def test_answers_go_by_the_prompt_inside_the_text(tmp_path: Path) -> None:
    path = write(
        tmp_path / "r.jsonl.gz",
        {"prompt": "def f():\n    pass", "completion": "one"},
        {"prompt": "def f():\n    pass\n# longer", "answer": "two"},
        {"prompt": "def g():", "solution": "three"},
    )
    recording = Recording(path)
    assert recording.answer_to("Complete:\n```\ndef f():\n    pass\n```") == "one"
    assert recording.answer_to("Complete:\ndef f():\n    pass\n# longer") == "two"
    assert recording.answer_to("def f():") is None


def test_several_answers_are_given_in_turn(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", *({"prompt": "p", "completion": c} for c in "ab"))
    recording = Recording(path)
    assert [recording.answer_to("p") for _ in range(3)] == ["a", "b", "a"]


def test_prompts_may_stand_in_a_second_file(tmp_path: Path) -> None:
    prompts = write(tmp_path / "p.jsonl", {"task_id": "T/1", "prompt": "question"})
    answers = write(tmp_path / "a.jsonl", {"task_id": "T/1", "completion": "answer"})
    assert Recording(answers, prompts).answer_to("the question is: question\nquestion") == "answer"


@pytest.mark.parametrize("line", ['{"prompt": "p"}', '{"completion": "c"}', "[]", "{"])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"prompt": "p", "completion": "c"}\n' + line)
    with pytest.raises(RecordingError, match=r"r\.jsonl"):
        Recording(str(path))


def test_a_damaged_recording_is_named_and_is_the_routes_trouble(tmp_path: Path) -> None:
    path = Path(write(tmp_path / "r.jsonl.gz", *({"prompt": f"p{n}", "completion": "c"} for n in range(99))))
    for damaged in (path.read_bytes()[:-20], path.read_bytes()[:60] + b"\xff" * 40):
        path.write_bytes(damaged)
        with pytest.raises(RecordingError, match=r"r\.jsonl\.gz: the gzip file is damaged"):
            Recording(str(path))
        with pytest.raises(BackendError, match=r"r\.jsonl\.gz"):
            asyncio.run(RecordedBackend().observe(Route("r", "recorded", "m", Price(), recording=str(path)), ""))


async def test_the_backend_speaks_the_chat_wire(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", {"prompt": "say hi", "completion": "hi " * 50})
    route = Route("r", "recorded", "m", Price(), recording=path)
    backend = RecordedBackend()

    def call(text: str, stream: bool) -> Call:
        messages = msgspec.Raw(json.dumps([{"role": "user", "content": [{"type": "text", "text": text}]}]).encode())
        return Call("chat", {"messages": messages}, stream)

    answer = await backend.send(route, "", call("say hi", True))
    pieces = await answer.read()
    chunks = [json.loads(piece.data[6:]) for piece in pieces[:-1]]
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == "hi " * 50
    assert pieces[-1].data == b"data: [DONE]\n\n"
    assert answer.finished
    with pytest.raises(BackendError) as raised:
        await backend.send(route, "", call("something else", False))
    assert raised.value.status == 422
    assert b"something else" not in raised.value.body
