"""Ruby: test-unit's `assert_equal(expected, actual)`, which is `expected == actual`."""

from pathlib import Path

from evaluator.languages import apart
from evaluator.suites.suite import NONCE, SuiteError, TestsCheck

_CALLER = Path(__file__).with_name("ruby_caller.rb").read_text()
_TESTS = Path(__file__).with_name("ruby_tests.rb").read_text()
_CANDIDATE, _ASSERT = "    candidate = method(:", "\n    assert_equal("


def multipl_e(tests: str) -> TestsCheck:
    """``tests`` is a class with one test, each of whose lines asserts one call's result."""
    name, _, rest = tests.partition(_CANDIDATE)[2].partition(")")
    body, end, _ = rest.rpartition("\n  end\nend")
    count = body.count(_ASSERT)
    if not name or not end or not count:
        raise SuiteError("no assert_equal in a test of `candidate`", "give MultiPL-E's own tests")
    program = f"{_TESTS}\ntests = lambda do |candidate, check|{body.replace(_ASSERT, _CHECK)}\nend\n"
    program += f'puts "", "{NONCE} #{{weighbridge_run(:{name}, tests)}}"\n'
    return TestsCheck(apart.before(_CALLER), apart.after(program), count)


_CHECK = "\n    check.call("
