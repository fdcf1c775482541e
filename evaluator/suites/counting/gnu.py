"""What C and C++ tests begin and end with: GNU C that is C++ too."""

import re

from evaluator.languages.linked import WORD_FILE
from evaluator.suites.suite import SuiteError

# The word is read in .preinit_array, ahead of every constructor, and of the solution's: its object is linked later.
BEGIN = f"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static char weighbridge_word[64];
static int weighbridge_passed;
static void weighbridge_begin(void) {{
    int file = open("{WORD_FILE}", O_RDONLY);
    if (file < 0 || read(file, weighbridge_word, sizeof weighbridge_word - 1) < 0) _exit(1);
    close(file);
    unlink("{WORD_FILE}");
}}
__attribute__((section(".preinit_array"), used)) static void (*weighbridge_first)(void) = weighbridge_begin;
static void weighbridge_check(int passed, char *seen, const char *what) {{
    if (!passed) {{
        dprintf(2, "this does not hold: %s\\n", what);
        _exit(1);
    }}
    weighbridge_passed += !*seen;
    *seen = 1;
}}
#define weighbridge_assert(...) do {{ \\
        static char seen; \\
        weighbridge_check(!!(__VA_ARGS__), &seen, #__VA_ARGS__); \\
    }} while (0)
"""
_END = """
    fflush(stdout);
    dprintf(1, "\\n%s %d\\n", weighbridge_word, weighbridge_passed);
    return 0;
}
"""
_ASSERT = re.compile(r"\bassert\s*\(")
_CLOSING = re.compile(r"(?:\breturn 0;\s*)?\}\s*\Z")


def counted(tests: str) -> tuple[str, int]:
    """A test program whose ``main`` counts its asserts, each once, and the number of them. Raises SuiteError.

    Without asserts its only test is that it comes to its end.
    """
    text, count = _ASSERT.subn("weighbridge_assert(", tests)
    text, closed = _CLOSING.subn(lambda _: _END, text)
    if not closed or "main" not in tests:
        raise SuiteError("no main function at the end of the tests", "give the suite's own tests")
    return text, count
