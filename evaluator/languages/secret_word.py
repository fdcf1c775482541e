"""A test program's secret word, kept out of what is compiled: it lies in a file that the program empties as it begins.

A word in the program's own text could be found there: in a class file, by reflection, by ``toString()`` of a function.
"""

_MARK = "weighbridge-word "
_TESTS_MARK = "weighbridge-tests"

FILE = "weighbridge-word"


def last_line(word: str, comment: str = "//") -> str:
    """Ends a test program whose word is kept apart."""
    return f"\n{comment}{_MARK}{word}\n"


def tests_begin(comment: str = "//") -> str:
    """Stands between a solution and tests that are another program."""
    return f"\n{comment}{_TESTS_MARK}\n"


def split(source: str, comment: str = "//") -> tuple[str, dict[str, bytes]]:
    """The program without the word, and the file that holds it; no file where there is no word."""
    program, mark, word = source.rpartition(f"\n{comment}{_MARK}")
    return (program + "\n", {FILE: word.strip().encode(errors="replace")}) if mark else (source, {})


def split_tests(source: str, comment: str = "//") -> tuple[str, str | None, dict[str, bytes]]:
    """The solution, the tests, and the word's file; where there are no tests, a whole program."""
    program, word = split(source, comment)
    solution, mark, tests = program.rpartition(tests_begin(comment))
    return (solution, tests, word) if mark and word else (source, None, {})
