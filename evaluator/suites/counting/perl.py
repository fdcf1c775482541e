"""Perl: Test::Deep's `eq_deeply`, which compares scalars as strings."""

import re
from pathlib import Path

from evaluator.languages import apart
from evaluator.suites.suite import NONCE, SuiteError, TestsCheck

_VALUES = Path(__file__).with_name("perl_values.pl").read_text()
_CALLER = _VALUES + Path(__file__).with_name("perl_caller.pl").read_text()
_TESTS = Path(__file__).with_name("perl_tests.pl").read_text()
_NAME = re.compile(r"my \$candidate = \\&(\w+);")
_IF, _COUNTED = "\n        if(eq_deeply($candidate->(", 'print "ok!" }else{'


def multipl_e(tests: str) -> TestsCheck:
    """``tests`` is a sub that exits with 1 at the first call whose result is not deeply equal to the expected one."""
    found = _NAME.search(tests)
    count = tests.count(_COUNTED)
    if not found or count != tests.count(_IF) or not count:
        raise SuiteError("no eq_deeply in a sub that calls $candidate", "give MultiPL-E's own tests")
    body = tests.replace("use Test::Deep;", "", 1).replace(found[0], r"my $candidate = \&weighbridge_candidate;", 1)
    body = body.replace(_COUNTED, "}else{").rstrip().removesuffix("testhumaneval();")
    program = f'{_TESTS}{body}\nprint "\\n{NONCE} ", weighbridge_run("{found[1]}", \\&testhumaneval), "\\n";\n'
    return TestsCheck(apart.before(_CALLER), apart.after(program), count)
