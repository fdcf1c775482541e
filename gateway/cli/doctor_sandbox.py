"""What `doctor` finds out about judging: which sandboxes isolate here, and which languages can be judged."""

import asyncio
import platform

from evaluator.judging.records import Kind, Records
from evaluator.languages import LANGUAGES, Python
from evaluator.sandbox import Bubblewrap, Limits, SandboxError
from gateway.cli.doctor_check import Check
from gateway.cli.sandbox import STRONGEST_FIRST, sandbox
from gateway.cli.sandbox_probe import Found, probe

_PROBE_SECONDS = 10.0
_FIXES = {
    "bubblewrap": "user namespaces are needed: sysctl -w kernel.unprivileged_userns_clone=1, or be root",
    "docker": "docs/sandbox.md says how to set it up",
    "gvisor": "docs/sandbox.md says how to set it up",
}


def sandboxes() -> list[Check]:
    """Each kind, really tried; the embedded default is the only one that is needed."""
    found = {kind: asyncio.run(probe(sandbox(None, kind))) for kind in STRONGEST_FIRST}
    strongest = next((kind for kind in STRONGEST_FIRST if found[kind].isolates), None)
    return [_sandbox(kind, found[kind], strongest == kind) for kind in reversed(STRONGEST_FIRST)]


def _sandbox(kind: str, found: Found, is_strongest: bool) -> Check:
    name, needed = f"sandbox: {kind}", kind == "bubblewrap"
    if not found.isolates:
        fix = found.problem if "install" in found.problem or "build it" in found.problem else _FIXES[kind]
        return Check(name, False, found.problem, fix, needed=needed)
    strongest = "; the strongest here: --sandbox auto takes it" if is_strongest else ""
    said = f"no network, read-only root, memory and processes by {found.limits_by}{strongest}"
    return Check(name, True, said, needed=needed)


def languages() -> list[Check]:
    """Those that are there, and what installs the others."""
    checks = []
    for name, language in LANGUAGES.items():
        missing = language.missing()
        if name == Python.name:
            checks.append(_judging())
        elif missing:
            problem, _, fix = missing.partition("; ")
            checks.append(Check(f"language: {name}", False, problem, fix or missing, needed=False))
        else:
            checks.append(Check(f"language: {name}", True, "its toolchain is there", needed=False))
    return checks


def _judging() -> Check:
    """The road that every sample takes: a solution runs, and its result comes back."""
    try:
        return asyncio.run(_probe_judging())
    except (SandboxError, TimeoutError) as error:
        return Check("language: python", False, str(error), "mend the sandbox first")


async def _probe_judging() -> Check:
    language = Python()
    program = language.calls("def f(x):\n    return x + 1", "f", [language.pack([(1,)], [False])])
    kinds = []
    async with Bubblewrap() as box, box.start(program, Limits()) as run:
        records = Records(run)
        await records.ready()
        deadline = asyncio.get_running_loop().time() + _PROBE_SECONDS
        while record := await records.next(deadline, 64):
            kinds.append(record.kind)
    ok = kinds == [Kind.STARTED, Kind.VALUE, Kind.END]
    return Check("language: python", ok, f"python {platform.python_version()}", "the interpreter does not run isolated")
