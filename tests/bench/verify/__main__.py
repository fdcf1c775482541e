"""``python -m tests.bench.verify --write``: what each form of verification buys on recorded answers."""

import asyncio
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from evaluator.examples.verifier import ExamplesVerifier
from evaluator.sandbox import Remote
from evaluator.syntax import SyntaxVerifier
from policies.verify import Form, Found, Question, Said, Verification, Verifier
from tests.bench.report import write_document
from tests.bench.verify.cascade import Judged, Result, alone, cascade, chosen_threshold, knows, surer_than
from tests.bench.verify.recordings import Pair, Recorded, qwen, smollm
from tests.fixtures.recorded_pair import prompts
from tests.fixtures.sandboxes import serving
from tests.fixtures.shared_data import SHARED_DATA

DOCUMENT = Path(__file__).parents[3] / "docs" / "verify.md"
RATIOS = (1, 2, 5, 10, 20)
HEADER = (
    "| | solved | of HumanEval+ | won / lost | large asked | " + " | ".join(f"1:{ratio}" for ratio in RATIOS) + " |"
)
_AT_ONCE = 2


@click.command()
@click.option("--write", is_flag=True, help=f"Put the tables into docs/{DOCUMENT.name}.")
def main(write: bool) -> None:
    """Runs every recorded answer through the verifiers that the gateway has, and adds up what a cascade costs."""
    if not SHARED_DATA.exists():
        raise click.ClickException(f"needs the recorded answers beside the checkout: {SHARED_DATA} is not there")
    if find_spec("tree_sitter") is None:
        raise click.ClickException("needs the extra weighbridge[syntax]: without it no answer could be parsed")
    text = asyncio.run(tables())
    click.echo(text)
    if write:
        write_document(text, DOCUMENT)


async def tables() -> str:
    tasks = sorted(prompts(), key=lambda task: int(task.rpartition("/")[2]))
    even, odd = tasks[::2], tasks[1::2]
    parts = ["Made by `python -m tests.bench.verify --write`.\n"]
    with serving({"kind": "bubblewrap"}, parallel=_AT_ONCE) as socket:
        verifiers: dict[Form, Verifier] = {
            "examples": ExamplesVerifier(Remote(socket)),
            "syntax": SyntaxVerifier(),
        }
        for pair, on, title in ((qwen(), tasks, "all 164 tasks"), (smollm(), odd, "the 82 tasks of one half")):
            forms = {f"`verify: {form}`": await judged_by(each, form, pair, on) for form, each in verifiers.items()}
            if pair.small.answers[tasks[0]].mean_logprob is not None:
                threshold = chosen_threshold(pair, even)
                forms[f"`verify: confidence`, at least {threshold:.2f}"] = surer_than(threshold)
            parts += [f"\n{pair.small.name}, then {pair.large.name}, {title}:\n\n", table(pair, on, forms)]
    return "".join(parts)


def table(pair: Pair, tasks: Sequence[str], forms: dict[str, Judged]) -> str:
    large = alone(pair.large.answers, tasks, large=True)
    rows = [HEADER, "|---|--:|--:|--:|--:|" + "--:|" * len(RATIOS)]
    rows.append(_row(f"{pair.small.name} alone", alone(pair.small.answers, tasks, large=False), large, compare=False))
    rows.append(_row(f"{pair.large.name} alone", large, large, compare=False))
    rows += [_row(name, cascade(pair, tasks, judged), large) for name, judged in forms.items()]
    rows.append(_row("a verification that is never wrong", cascade(pair, tasks, knows), large))
    return "\n".join(rows) + "\n"


def _row(name: str, result: Result, large: Result, *, compare: bool = True) -> str:
    costs = [f"{result.cost(ratio) / large.cost(ratio):.0%}" for ratio in RATIOS]
    versus = f"{result.won} / {result.lost}" if compare else ""
    cells = [name, str(result.base), str(result.plus), versus, str(result.asked_large), *costs]
    return f"| {' | '.join(cells)} |"


async def judged_by(verifier: Verifier, form: Form, pair: Pair, tasks: Sequence[str]) -> Judged:
    """Every answer of both models looked at, once."""
    found: dict[tuple[str, str], Found] = {}
    places = asyncio.Semaphore(_AT_ONCE)

    async def look(task: str, answer: Recorded) -> None:
        check = await verifier.check(Question(prompts()[task], "python"), Verification(form))
        async with places:
            found[task, answer.text] = await check.look(Said(answer.text)) if check is not None else Found("skipped")

    await asyncio.gather(*(look(t, model.answers[t]) for model in (pair.small, pair.large) for t in tasks))
    if any(one.verdict == "unavailable" for one in found.values()):
        raise click.ClickException("the sandbox did not serve: these figures would be worth nothing")
    return lambda task, answer: found[task, answer.text]


if __name__ == "__main__":
    os.chdir(DOCUMENT.parents[1])
    main()
