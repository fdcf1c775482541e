"""PHP: `!==` between what a call returns and what it should."""

import re
from pathlib import Path

from evaluator.languages import apart
from evaluator.suites.suite import NONCE, SuiteError, TestsCheck

_CALLER = Path(__file__).with_name("php_caller.php").read_text()
_TESTS = Path(__file__).with_name("php_tests.php").read_text()
_NAME = re.compile(r"\Afunction candidate\(\.\.\.\$args\) \{\s+return (\w+)\(\.\.\.\$args\);\s+\}\s+")
_THROWS = ') { throw new Exception("Test failed!"); }\n'
_TELLS = ") { Weighbridge::result(false); } else { Weighbridge::result(true); }\n"


def multipl_e(tests: str) -> TestsCheck:
    """``tests`` is a function ``test`` that throws at the first call whose result is not the expected one."""
    found = _NAME.match(tests)
    count = tests.count(_THROWS)
    if not found or count != tests.count("\n    if (candidate(") or not count:
        raise SuiteError("no `candidate(...) !== ...` in a function `test`", "give MultiPL-E's own tests")
    body = tests[found.end() :].rstrip().removesuffix("test();").replace(_THROWS, _TELLS)
    program = f"{_TESTS}\n{body}\necho \"\\n{NONCE} \", Weighbridge::run('{found[1]}', 'test'), \"\\n\";\n"
    return TestsCheck(apart.before(_CALLER), apart.after(program), count)
