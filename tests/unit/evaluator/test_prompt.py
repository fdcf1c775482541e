from hypothesis import given
from hypothesis import strategies as st

from evaluator.replaying.prompt import question


@given(st.text())
def test_the_tasks_prompt_stays_verbatim(prompt: str) -> None:
    assert prompt in question("python", prompt)


@given(st.text(alphabet="`a\n"))
def test_no_backticks_of_the_prompt_close_the_fence(prompt: str) -> None:
    lines = question("python", prompt).split("\n")
    fence = lines[-1]
    assert set(fence) == {"`"} and len(fence) >= 3
    assert lines[2] == fence + "python"
    assert fence not in "\n".join(lines[3:-1])


def test_a_prompt_without_a_last_newline_still_ends_before_the_fence() -> None:
    assert question("rust", "fn f()").endswith("```rust\nfn f()\n```")
