"""Java: a class of our own calls the solution and counts; expected values are asked whether they equal actual ones.

The tests' own types are imported one by one, so that no class of the solution's can take their names.
"""

import re

from evaluator.languages.java import TESTS_CLASS
from evaluator.languages.secret_word import FILE, last_line
from evaluator.suites.counting.expressions import arguments, closing, equality, type_names
from evaluator.suites.suite import NONCE, SuiteError, TestsCheck

_PACKAGES = {
    "java.io": ("FileDescriptor", "FileOutputStream", "PrintStream", "RandomAccessFile"),
    "java.lang": (
        "AssertionError", "Boolean", "Character", "Double", "Float", "Integer", "Long", "Math", "Object", "String",
        "StringBuilder", "Throwable",
    ),
    "java.util": (
        "ArrayList", "Arrays", "Collections", "HashMap", "HashSet", "List", "Map", "Objects", "Optional", "Random",
        "Set",
    ),
    "org.javatuples": ("Pair", "Quartet", "Quintet", "Triplet", "Unit"),
}  # fmt: skip
_KNOWN = {name: package for package, names in _PACKAGES.items() for name in names}

# First what ends a string or comment that the solution may have left open.
_OPEN = f"""
/*\"\"\"*/
class {TESTS_CLASS} {{
    private static boolean weighbridgeSame(Object actual, Object expected) {{
        return expected == null ? actual == null : expected.equals(actual);
    }}
    private static void weighbridgeFail(int number) {{
        throw new AssertionError("test " + number);
    }}
"""
_BEGIN = f"""
        PrintStream weighbridgeOut = new PrintStream(new FileOutputStream(FileDescriptor.out));
        RandomAccessFile weighbridgeFile = new RandomAccessFile("{FILE}", "rw");
        String weighbridgeWord = weighbridgeFile.readLine();
        weighbridgeFile.setLength(0);
        weighbridgeFile.close();
        int weighbridgePassed = 0;
"""
_END = """
        weighbridgeOut.println("\\n" + weighbridgeWord + " " + weighbridgePassed);
        weighbridgeOut.flush();
"""
_MAIN = "    public static void main(String[] args) throws Throwable {"
_THEIR_MAIN = re.compile(r"^ *public static void main\(String\[\] args\)[^{]*\{", re.MULTILINE)
_LIST = "List<Boolean> correct = Arrays.asList("
_LOOKED_AT = re.compile(r"\s*;\s*if \(correct\.contains\(false\)\) \{\s*throw new AssertionError\(\);\s*\}")


def multipl_e(tests: str) -> TestsCheck:
    """``tests`` closes the function and goes on in its class ``Problem``; a whole program has closed both."""
    asserts = [line.strip() for line in tests.split("\n") if line.strip().startswith("assert(")]
    if not asserts:
        raise SuiteError("no asserts in a main function", "give MultiPL-E's own tests")
    conditions = [_condition("Problem." + line[len("assert(") : closing(line, len("assert"))]) for line in asserts]
    return _check("", _counted(conditions), "\n    }\n}\n", len(conditions))


def humaneval_x(test: str, _declaration: str) -> TestsCheck:
    """``test`` is a class ``Main`` that makes a list of what is right; some tests are loops beside it."""
    main = _THEIR_MAIN.search(test)
    body = test[main.end() :].rstrip() if main else ""
    if not main or not body.endswith("}") or "class Main {" not in test[: main.start()]:
        raise SuiteError("no class Main with a main function", "give HumanEval-X's own tests")
    members = test[: main.start()].partition("class Main {")[2]
    body = body.removesuffix("}").rstrip().removesuffix("}")
    count, rest = 1, body + "\n        weighbridgePassed++;"
    if _LIST in body:
        before, _, listed = body.partition(_LIST)
        end = closing("(" + listed, 0) - 1
        conditions = [_condition(item) for item in arguments(listed[:end])]
        count = len(conditions)
        rest = before + _counted(conditions) + _LOOKED_AT.sub("", listed[end + 1 :], count=1)
    return _check(members, rest, "\n    }\n}\n", count)


def _check(members: str, body: str, end: str, count: int) -> TestsCheck:
    program = _OPEN + members + _MAIN + _BEGIN + body + _END + end
    imported = sorted(name for name in type_names(program) if name in _KNOWN)
    imports = "".join(f"import {_KNOWN[name]}.{name};\n" for name in imported)
    return TestsCheck(imports, program + last_line(NONCE), count)


def _condition(expression: str) -> str:
    """The test's condition, with the expected value as the judge of equality."""
    negated = expression.startswith("!")
    compared = equality(expression.removeprefix("!"))
    if compared is None:
        return expression
    return f"{'!' if negated else ''}weighbridgeSame({compared[0]}, {compared[1]})"


def _counted(conditions: list[str]) -> str:
    return "".join(
        f"\n        if (!({condition})) weighbridgeFail({number});\n        weighbridgePassed++;"
        for number, condition in enumerate(conditions, 1)
    )
