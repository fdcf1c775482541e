"""A test program's secret word, kept out of what is compiled: it lies in a file that the program empties as it begins.

A word in the program's own text could be found there: in a class file, by reflection, by ``toString()`` of a function.
"""

MARK = "//weighbridge-word "
"""Begins the last line of a test program; the word follows."""

FILE = "weighbridge-word"


def split(source: str) -> tuple[str, dict[str, bytes]]:
    """The program without the word, and the file that holds it; no file where there is no word."""
    program, mark, word = source.rpartition("\n" + MARK)
    return (program + "\n", {FILE: word.strip().encode(errors="replace")}) if mark else (source, {})
