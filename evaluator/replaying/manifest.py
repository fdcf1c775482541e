"""How a run was measured: everything that somebody else needs to repeat or to doubt it."""

import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evaluator.replaying.asking import Retries
from evaluator.replaying.plan import Plan
from evaluator.replaying.replay import Limits
from evaluator.store.run_folder import RunFolder


def opened(folder: RunFolder, plan: Plan, limits: Limits, retries: Retries, command: Sequence[str]) -> dict[str, Any]:
    """The run's manifest, written when it begins; a later command that resumes it adds its concurrency."""
    facts = folder.read("manifest.json") or _manifest(plan, folder.run_id, limits, retries, command)
    if limits.concurrency not in facts["limits"]["concurrency"]:
        facts["limits"]["concurrency"].append(limits.concurrency)
    folder.write("manifest.json", facts)
    return facts


def _manifest(plan: Plan, run_id: str, limits: Limits, retries: Retries, command: Sequence[str]) -> dict[str, Any]:
    """JSON values. ``price_date`` is the day on which the gateway priced the first samples."""
    now = datetime.now(UTC)
    return {
        "run_id": run_id,
        **plan.identity,
        "tasks": len(plan.tasks),
        "partial": plan.is_slice,
        "limits": {"concurrency": [limits.concurrency], "judging": limits.judging, "retries": asdict(retries)},
        "started_at": now.isoformat(timespec="seconds"),
        "price_date": now.date().isoformat(),
        **surroundings(),
        "command": shlex.join(command),
    }


def surroundings() -> dict[str, Any]:
    """The machine and the program that measure, as JSON values."""
    return {
        "host": {"cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()},
        "weighbridge": version("weighbridge"),
        "git": _git_revision(Path(__file__).parents[2]),
    }


def _git_revision(root: Path) -> str | None:
    """The commit of a working copy, ``-dirty`` if it was changed; None for an installed package."""
    if not (root / ".git").exists():
        return None
    describe = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(describe, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
