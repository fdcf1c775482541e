"""Task suites: what is asked, and what is right. One module a file format, found by content."""

from evaluator.suites.load import load_suite
from evaluator.suites.suite import FunctionCheck, Part, Suite, SuiteError, Task

__all__ = ["FunctionCheck", "Part", "Suite", "SuiteError", "Task", "load_suite"]
