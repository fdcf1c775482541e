"""C++: `assert` in the suite's own main becomes a check that counts."""

from evaluator.suites.suite import NONCE, SuiteError, TestsCheck

# What a solution may have defined to bend the tests is undone first.
_BEFORE_MAIN = """
#undef assert
#undef main
#undef if
#undef else
#undef exit
#undef fprintf
#include <cstdio>
#include <cstdlib>
static int weighbridge_passed = 0;
#define assert(...) do { if (__VA_ARGS__) ++weighbridge_passed; else std::exit(1); } while (0)
"""
_AT_END = f'    std::fprintf(stdout, "\\n{NONCE} %d\\n", weighbridge_passed);\n    return 0;\n}}\n'


def multipl_e(tests: str) -> TestsCheck:
    """``tests`` closes the function, which a whole program has done itself; then comes ``main``."""
    main = tests.removeprefix("}").rstrip()
    count = main.count("    assert(")
    if not count or not main.endswith("}"):
        raise SuiteError("no asserts in a main function", "give MultiPL-E's own tests")
    return TestsCheck("", _BEFORE_MAIN + main.removesuffix("}") + _AT_END, count)
