"""Where untrusted code runs."""

from evaluator.sandbox.bubblewrap import Bubblewrap
from evaluator.sandbox.docker import Docker
from evaluator.sandbox.remote import Remote
from evaluator.sandbox.sandbox import Limits, Program, Run, Sandbox, SandboxError

__all__ = ["Bubblewrap", "Docker", "Limits", "Program", "Remote", "Run", "Sandbox", "SandboxError"]
