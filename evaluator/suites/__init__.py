"""Task suites: what is asked, and what is right. One module a file format, found by content."""

from evaluator.suites.load import load_suite
from evaluator.suites.suite import (
    NONCE,
    Case,
    Check,
    FunctionCheck,
    Part,
    StdioCheck,
    Suite,
    SuiteError,
    Task,
    TestsCheck,
    WordsCheck,
)

__all__ = [
    "NONCE",
    "Case",
    "Check",
    "FunctionCheck",
    "Part",
    "StdioCheck",
    "Suite",
    "SuiteError",
    "Task",
    "TestsCheck",
    "WordsCheck",
    "load_suite",
]
