"""The one user message that asks a model for a task's solution."""

import re

_INSTRUCTION = "Complete the {language} program below. Answer with the whole program in one fenced code block."


def question(language: str, prompt: str) -> str:
    """The same on every wire. ``prompt`` stays in it verbatim: recordings and readers find the task by its text."""
    fence = _fence_around(prompt)
    newline = "" if prompt.endswith("\n") else "\n"
    instruction = _INSTRUCTION.format(language=language)
    return f"{instruction}\n\n{fence}{language}\n{prompt}{newline}{fence}"


def _fence_around(text: str) -> str:
    """A fence longer than any run of backticks in ``text`` (CommonMark 0.31, section 4.5)."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    return "`" * max(3, longest + 1)
