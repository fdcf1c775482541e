"""Existing answers from a file, in EvalPlus's names: one JSON object a line."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from evaluator.suites import Suite, SuiteError, Task
from evaluator.suites.load import read_text


@dataclass(frozen=True, slots=True)
class Sample:
    task: Task
    number: int
    """0, 1, ... within its task, in the file's order."""
    text: str
    is_program: bool
    """A whole program ("solution"), or an answer to take it from ("completion")."""


def read_samples(path: Path, suite: Suite) -> list[Sample]:
    """``{"task_id", "completion"}`` or ``{"task_id", "solution"}`` a line, plain or gzip. Raises SuiteError.

    MultiPL-E's recordings have a ``generation``: prompt and answer, cut off at the suite's stop tokens.
    """
    if not path.exists():
        raise SuiteError("there is no such file", "give the path of a .jsonl or .jsonl.gz file", path=path)
    seen: Counter[str] = Counter()
    samples = []
    for line, source in enumerate(read_text(path).split("\n"), 1):
        if not source.strip():
            continue
        try:
            samples.append(_sample(json.loads(source), suite, seen))
        except SuiteError as error:
            raise error.at(path, line) from error
        except (json.JSONDecodeError, RecursionError) as error:
            raise SuiteError(f"no JSON: {error}", "write one JSON object a line", path=path, line=line) from error
    if not samples:
        raise SuiteError("the file holds no sample", "add one JSON object a line", path=path)
    return samples


def _sample(row: object, suite: Suite, seen: Counter[str]) -> Sample:
    shape = 'write {"task_id": ..., "completion": ...}'
    if not isinstance(row, dict):
        raise SuiteError("a sample is a JSON object", shape)
    key = next((key for key in ("solution", "generation") if key in row), "completion")
    if not isinstance(text := row.get(key), str):
        raise SuiteError("the sample has no 'completion' or 'solution' that is a string", shape)
    task_id = row.get("task_id")
    if not isinstance(task_id, str):
        raise SuiteError("the sample has no 'task_id' that is a string", shape)
    if (task := suite.task(task_id)) is None:
        example = suite.tasks[0].task_id
        raise SuiteError(f"the suite {suite.name} has no task {task_id!r}", f"its ids look like {example!r}")
    seen[task.task_id] += 1
    if key == "generation":
        text += task.closing
    return Sample(task, seen[task.task_id] - 1, text, key != "completion")
