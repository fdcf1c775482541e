"""Go: the tests are the main package, which imports the solution's. Values are compared as values of one type.

MultiPL-E compares what ``fmt.Sprintf("%v")`` prints: there ``[]string{"1 2"}`` equals ``[]string{"1", "2"}``, and
``"1"`` equals ``1``. Here they differ; a nil slice or map still equals an empty one. HumanEval-X compares as testify's
``assert.Equal`` does: by ``reflect.DeepEqual``, without converting.
"""

import re

from evaluator.languages.go import FIRST, IMPORTS_USED, MAY_BE_UNUSED, SOLUTION, package_names
from evaluator.languages.linked import after
from evaluator.suites.suite import NONCE, SuiteError, TestsCheck

_ENTRY = "WeighbridgeEntry"
_CASE = re.compile(r"\{ actual: (candidate\(.*\)), expected: (.*) \},$", re.MULTILINE)
_CANDIDATE = re.compile(r"\bcandidate := (\w+)")
_TEST = re.compile(r"^func Test\w+\(\w+ \*testing\.T\) \{\s*\n\s*assert := assert\.New\(\w+\)", re.MULTILINE)
_PACKAGE = re.compile(r"^package \w+\s*import \((?P<imports>[^)]*)\)", re.MULTILINE)

# Only what cannot be set from outside its package: no os.Stdout, no os.Exit with a hook.
_HARNESS = """
var weighbridgePassed = 0
func weighbridgeCheck(passed bool, number int) {
    if !passed {
        syscall.Write(2, []byte("test "+strconv.Itoa(number)+" failed\\n"))
        syscall.Exit(1)
    }
    weighbridgePassed++
}
func weighbridgeEnd() {
    syscall.Write(1, []byte("\\n"+a_first.Word()+" "+strconv.Itoa(weighbridgePassed)+"\\n"))
    syscall.Exit(0)
}
"""
_SAME = """
func weighbridgeEqual[T any](actual, expected T, number int) {
    weighbridgeCheck(weighbridgeSame(reflect.ValueOf(&actual).Elem(), reflect.ValueOf(&expected).Elem()), number)
}
func weighbridgeSame(a, b reflect.Value) bool {
    if a.IsValid() != b.IsValid() {
        return false
    }
    if !a.IsValid() {
        return true
    }
    if a.Type() != b.Type() {
        return false
    }
    switch a.Kind() {
    case reflect.Interface:
        return weighbridgeSame(a.Elem(), b.Elem())
    case reflect.Slice, reflect.Array:
        for i := 0; i < a.Len() && i < b.Len(); i++ {
            if !weighbridgeSame(a.Index(i), b.Index(i)) {
                return false
            }
        }
        return a.Len() == b.Len()
    case reflect.Map:
        for _, key := range a.MapKeys() {
            if !b.MapIndex(key).IsValid() || !weighbridgeSame(a.MapIndex(key), b.MapIndex(key)) {
                return false
            }
        }
        return a.Len() == b.Len()
    }
    return reflect.DeepEqual(a.Interface(), b.Interface())
}
"""
_ASSERT = """
type weighbridgeAsserter struct{}
var assert weighbridgeAsserter
var weighbridgeSeen = map[int]bool{}
func (weighbridgeAsserter) Equal(expected, actual interface{}, _ ...interface{}) {
    _, _, line, _ := runtime.Caller(1)
    first := !weighbridgeSeen[line]
    weighbridgeSeen[line] = true
    weighbridgeCheck(reflect.DeepEqual(expected, actual), line)
    if !first {
        weighbridgePassed--
    }
}
"""


def multipl_e(tests: str, prompt: str) -> TestsCheck:
    """``tests`` is a test function with a table of calls and results."""
    candidate, cases = _CANDIDATE.search(tests), _CASE.findall(tests)
    if candidate is None or not cases:
        raise SuiteError("no table of calls and results", "give MultiPL-E's own tests")
    calls = "".join(f"    weighbridgeEqual({call}, {result}, {n})\n" for n, (call, result) in enumerate(cases, 1))
    program = (
        _imports("reflect", "strconv", "syscall", FIRST, SOLUTION)
        + f"{_HARNESS}{_SAME}\nfunc main() {{\n    candidate := {SOLUTION}.{_ENTRY}\n{calls}    weighbridgeEnd()\n}}\n"
    )
    return TestsCheck("", after(f"{_imported(prompt)}var {_ENTRY} = {candidate[1]}\n", program, NONCE), len(cases))


def humaneval_x(test: str, declaration: str) -> TestsCheck:
    """``test`` begins with the package's set-up; what it calls is exported. ``declaration``: imports first."""
    setup = _PACKAGE.search(test)
    body, found = _TEST.subn("func weighbridgeTests() {", test[setup.end() if setup else 0 :])
    count = len(re.findall(r"\bassert\.Equal\(", body))
    if setup is None or not found or not count:
        raise SuiteError("no test function with assert.Equal", "give HumanEval-X's own tests")
    program = (
        _imports("reflect", "runtime", "strconv", "syscall", FIRST, *package_names(body))
        + f'import . "{SOLUTION}"\n{_HARNESS}{_ASSERT}{body}\n'
        + "func main() {\n    weighbridgeTests()\n    weighbridgeEnd()\n}\n"
    )
    return TestsCheck("", after(IMPORTS_USED + _imported(declaration), program, NONCE), count)


def _imported(opening: str) -> str:
    names = re.findall(r'"([^"]+)"', opening.partition("import")[2].partition(")")[0])
    return f"{MAY_BE_UNUSED}{' '.join(names)}\n"


def _imports(*names: str) -> str:
    return "package main\n" + "".join(f'import "{name}"\n' for name in dict.fromkeys(names))
