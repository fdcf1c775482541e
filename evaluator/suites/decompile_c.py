"""Decompile-Eval (LLM4Decompile): HumanEval in C, asked for as assembler code. Each function comes in four builds."""

from dataclasses import replace

from evaluator.suites import rows
from evaluator.suites.counting import c
from evaluator.suites.suite import Row, Suite, Task

NAME = "decompile-c"

_FUNCTION = "func0"
_BUILD = "O0"


def claims(row: Row) -> bool:
    return {"task_id", "type", "c_func", "c_test"} <= row.keys()


def suite_name(row: Row, stem: str) -> str:
    return stem


def task(row: Row) -> Task:
    function = rows.required(row, "c_func", str)
    assembler = rows.required(row, "input_asm_prompt", str)
    return Task(
        task_id=f"C/{rows.required(row, 'task_id', int)}/{rows.required(row, 'type', str)}",
        language="c",
        prompt=f"# This is the assembly code:\n{assembler}\n# What is the source code?\n",
        entry_point=_FUNCTION,
        canonical_solution=function,
        check=c.decompile(function, rows.required(row, "c_test", str), _FUNCTION),
    )


def as_released(suite: Suite) -> Suite:
    """One task a function, named ``C/0``: its builds differ in the prompt only, and the plain one stands for it."""
    plain = (task for task in suite.tasks if task.task_id.endswith(f"/{_BUILD}"))
    return replace(suite, tasks=tuple(replace(task, task_id=task.task_id.rpartition("/")[0]) for task in plain))
