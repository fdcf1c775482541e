"""How C and C++ tests are linked with a solution."""

ENTRY = "weighbridge_entry"
"""The only symbol of the solution's that the tests see: its ``strcmp``, ``operator new`` or ``main`` stays its own."""


def link(compiler: str, flags: str, suffix: str, libraries: str = "") -> str:
    """For ``linked.recipe``. One object without groups: members of a group cannot be made local one by one."""
    return f"""
{compiler} {flags} -c solution.{suffix}
ld -r --force-group-allocation -o alone.o solution.o
objcopy --keep-global-symbol={ENTRY} alone.o
show >tests.{suffix}
{compiler} {flags} -c tests.{suffix}
{compiler} -o main tests.o alone.o{libraries} -lm
"""
