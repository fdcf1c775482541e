"""A learned model's evaluation as text and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluator.figures import dollars, share
from evaluator.learning.evaluation import CurvePoint, Evaluation
from gateway.cli.table import columns
from policies.learned_model import CONFIDENCE, ModelFile


def as_text(found: Evaluation, file: ModelFile, out: Path) -> str:
    return "\n".join(_lines(found, file, out))


def as_json(found: Evaluation, file: ModelFile, out: Path) -> dict[str, Any]:
    """Money in nano-dollars."""
    return {"model": str(out), "loads": found.refusal is None, **asdict(found), "manifest": file.manifest}


def _lines(found: Evaluation, file: ModelFile, out: Path) -> Iterator[str]:
    manifest = file.manifest
    left_out = (
        f", {manifest['left_out']} without a score and a cost on every route left out" if manifest["left_out"] else ""
    )
    yield f"{found.tasks} tasks of {found.problems} source problems, each unseen by what predicted it{left_out}"
    yield f"a solved task is worth {dollars(found.worth_nanousd)}"
    yield ""
    rows = [[p.name, share(p.solved), dollars(p.cost_nanousd), f"{p.worth:+.3f}"] for p in found.points]
    yield from columns([["", "solved", "cost a task", "worth, in solved tasks"], *rows])
    yield ""
    yield from columns([_curve_head(file), *(_curve_row(point) for point in found.curve)], left=())
    yield ""
    rows = [[each.route, f"{each.brier:.3f}", f"{each.base:.3f}", f"{each.ece:.3f}"] for each in found.calibration]
    yield from columns([["chance of solving", "Brier", "of its mean", "ECE"], *rows])
    yield ""
    for margin in found.margins:
        low, high = margin.interval or (float("nan"), float("nan"))
        verdict = "above 0" if margin.proven else "not shown to be above 0"
        yield (
            f"gain over always {margin.over}: {margin.gain:+.3f} [{low:+.3f}, {high:+.3f}],"
            f" {verdict} with {CONFIDENCE:.0%} confidence"
        )
    verdict = "policies can route by it" if found.refusal is None else "no gateway will load it"
    yield f"{out} written: {verdict}"


def _curve_head(file: ModelFile) -> list[str]:
    return ["a solved task is worth", *(f"to {route.route}" for route in file.routes), *_REST]


def _curve_row(point: CurvePoint) -> list[str]:
    shares: Sequence[str] = [f"{each:.0%}" for each in point.shares]
    solved = (share(point.solved), share(point.mixture), share(point.oracle))
    return [dollars(point.worth_nanousd), *shares, dollars(point.cost_nanousd), *solved]


_REST = ("cost a task", "solved", "random, same cost", "oracle, same cost")
