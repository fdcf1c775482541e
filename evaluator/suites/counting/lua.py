"""Lua: luaunit's `assertEquals(actual, expected)`, which compares tables by their contents."""

import re
from pathlib import Path

from evaluator.languages import apart
from evaluator.suites.suite import NONCE, SuiteError, TestsCheck

_CALLER = Path(__file__).with_name("lua_caller.lua").read_text()
_TESTS = Path(__file__).with_name("lua_tests.lua").read_text()
_BODY = re.compile(r"\nlocal candidate = (\w+)\n(.*)\nend\s+os\.exit\(lu\.LuaUnit\.run\(\)\)\s*\Z", re.DOTALL)
_ASSERT = "    lu.assertEquals(candidate("


def multipl_e(tests: str) -> TestsCheck:
    """``tests`` is a function, each of whose lines asserts one call's result."""
    found = _BODY.search(tests)
    count = found[2].count(_ASSERT) if found else 0
    if not found or not count:
        raise SuiteError("no lu.assertEquals in a function that calls `candidate`", "give MultiPL-E's own tests")
    program = f"{_TESTS}\nlocal function tests(candidate, lu)\n{found[2]}\nend\n"
    program += f'local passed = run("{found[1]}", tests)\nprint("\\n{NONCE} " .. passed)\n'
    return TestsCheck(apart.before(_CALLER), apart.after(program), count)
