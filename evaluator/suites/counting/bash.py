"""Bash: `[[ $(candidate ...) = "..." ]]`, each call in a shell of its own, as `$()` is."""

import re
from pathlib import Path

from evaluator.languages import apart
from evaluator.suites.suite import NONCE, SuiteError, TestsCheck

_CALLER = Path(__file__).with_name("bash_caller.sh").read_text()
_NAME = re.compile(r'\ncandidate\(\) \{\s+(\S+) "\$@"\s+\}\s+set -e\s+run_test\(\) \{\n')
_TEST = re.compile(r"^    \[\[ \$\(candidate\b", re.MULTILINE)


def multipl_e(tests: str) -> TestsCheck:
    """``tests`` closes the function, which a whole program has done itself; then come tests under `set -e`."""
    found = _NAME.search(tests)
    body, end, _ = tests[found.end() :].rpartition("\n}\n\nrun_test") if found else ("", "", "")
    count = len(_TEST.findall(body))
    if not found or not end or not count:
        raise SuiteError("no [[ $(candidate ...) = ... ]] in a function run_test", "give MultiPL-E's own tests")
    program = _PROGRAM.replace("FUNCTION", found[1]).replace("TESTS", _TEST.sub(_COUNTED, body), 1)
    return TestsCheck(apart.before(_CALLER), apart.after(program), count)


_COUNTED = "    ((++passed)); [[ $(candidate"
# In braces, so that bash has read it all when it is emptied: it stays open, and gVisor shows what others have open.
_PROGRAM = f"""{{
: >tests.sh
rm -f tests.sh tests
candidate() {{ bash caller.sh FUNCTION "$@" </dev/null; }}
passed=0
set -e
run_test() {{
TESTS
}}
run_test
printf '\\n%s %d\\n' {NONCE} "$passed"
exit 0
}}
"""
