"""Where untrusted code runs."""

from evaluator.sandbox.bubblewrap import Bubblewrap
from evaluator.sandbox.sandbox import Limits, Program, Run, Sandbox, SandboxError

__all__ = ["Bubblewrap", "Limits", "Program", "Run", "Sandbox", "SandboxError"]
