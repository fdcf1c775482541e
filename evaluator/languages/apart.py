"""Tests apart from the solution: two processes, so that it sees neither the tests nor the judge's secret word.

A source that ``before`` and ``after`` have put around a solution becomes three files: the solution, a caller that loads
it, and the tests. The tests' process learns which calls the tests make, writes them to the file ``calls``, starts the
caller, and compares what that has left in ``results``: plain values, so a solution can only lie about what it returned.
"""

from evaluator.languages.language import Recipe

_SOLUTION = "\n=== weighbridge: here the solution begins\n"
_TESTS = "\n=== weighbridge: here the tests begin\n"

# A process whose program file cannot be read has a memory that cannot be read: not by the solution, though it is the
# same user's. Any program will do as the dynamic loader's, whose copy is small. The tests remove their own file before
# the solution begins. gVisor runs no such file; there a process may look into none but its descendants.
UNREADABLE = """program=$(command -v "$1"); shift
for loader in /lib*/ld-linux*.so.?; do
    cp "$loader" tests && chmod 111 tests && ./tests /bin/true 2>/dev/null && exec ./tests "$program" "$@"
    rm -f tests
done
read -r scope </proc/sys/kernel/yama/ptrace_scope && [ "$scope" -gt 0 ] && exec "$program" "$@"
echo "here the solution could look into the memory of its tests" >&2; exit 1
"""
"""A script that runs its words as a program whose memory is its own."""


def before(caller: str) -> str:
    """What comes ahead of a solution."""
    return caller + _SOLUTION


def after(tests: str) -> str:
    """What follows it."""
    return _TESTS + tests


def recipe(source: str, suffix: str, run: tuple[str, ...], look: tuple[str, ...], tests: tuple[str, ...]) -> Recipe:
    """For a whole program, and for a source made of three.

    ``run`` runs a file, ``look`` looks at its syntax, and ``tests`` runs the tests: a file's name completes each.
    """
    caller, begins, rest = source.partition(_SOLUTION)
    solution, ends, test_program = rest.rpartition(
        _TESTS
    )  # the first and the last: those of the solution's own count not
    if not begins or not ends:
        main = f"main{suffix}"
        return Recipe({main: _bytes(source)}, (*run, main), compile=(*look, main))
    names = (f"caller{suffix}", f"solution{suffix}", f"tests{suffix}")
    return Recipe(
        dict(zip(names, map(_bytes, (caller, solution, test_program)), strict=True)),
        ("sh", "-c", UNREADABLE, "sh", *tests, names[2]),
        compile=(*look, names[1]),
    )


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")
