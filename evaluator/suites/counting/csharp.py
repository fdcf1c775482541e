"""C#: a class of our own calls the solution and counts.

Lists, dictionaries and tuples are compared by what they hold. MultiPL-E's own tests ask ``List.Equals``, which compares
identities: a task that returns a list could never pass.
"""

import re

from evaluator.languages.csharp import TESTS_CLASS
from evaluator.languages.secret_word import FILE, last_line
from evaluator.suites.counting.expressions import closing, equality
from evaluator.suites.suite import NONCE, SuiteError, TestsCheck

_ASSERT = "Debug.Assert("
_COLLECTION = re.compile(r"\b(List|Dictionary)<")
_TYPE = re.compile(r"\b(Tuple\.|Nullable<)")

# First what ends a string or comment that the solution may have left open.
_OPEN = f"""
/*\"\"\"*/
#pragma warning restore
class {TESTS_CLASS} {{
    static bool WeighbridgeSame(object actual, object expected) {{
        if (actual == null || expected == null) return actual == null && expected == null;
        var pair = expected as global::System.Runtime.CompilerServices.ITuple;
        if (pair != null) return WeighbridgeTuples(actual, pair);
        if (actual.GetType() != expected.GetType()) return WeighbridgeNumbers(actual, expected);
        var items = expected as global::System.Collections.IList;
        if (items != null) {{
            var found = (global::System.Collections.IList) actual;
            if (found.Count != items.Count) return false;
            for (int i = 0; i < items.Count; i++) if (!WeighbridgeSame(found[i], items[i])) return false;
            return true;
        }}
        var entries = expected as global::System.Collections.IDictionary;
        if (entries != null) {{
            var found = (global::System.Collections.IDictionary) actual;
            if (found.Count != entries.Count) return false;
            foreach (object key in entries.Keys)
                if (!found.Contains(key) || !WeighbridgeSame(found[key], entries[key])) return false;
            return true;
        }}
        return expected.Equals(actual);
    }}
    static bool WeighbridgeTuples(object actual, global::System.Runtime.CompilerServices.ITuple expected) {{
        var kind = actual.GetType();
        if (!kind.IsGenericType) return false;
        if (kind.GetGenericTypeDefinition() != expected.GetType().GetGenericTypeDefinition()) return false;
        var found = (global::System.Runtime.CompilerServices.ITuple) actual;
        for (int i = 0; i < expected.Length; i++) if (!WeighbridgeSame(found[i], expected[i])) return false;
        return true;
    }}
    static bool WeighbridgeNumbers(object actual, object expected) {{
        if (!actual.GetType().IsPrimitive || !expected.GetType().IsPrimitive) return false;
        if (actual is bool || expected is bool || actual is char || expected is char) return false;
        return global::System.Convert.ToDouble(actual) == global::System.Convert.ToDouble(expected);
    }}
    static void WeighbridgeTest(bool right, int number) {{
        if (right) return;
        global::System.Console.Error.WriteLine("test " + number);
        global::System.Environment.Exit(1);
    }}
    public static void Main() {{
        var weighbridgeOut = global::System.Console.OpenStandardOutput();
        string weighbridgeWord = global::System.IO.File.ReadAllText("{FILE}");
        global::System.IO.File.Delete("{FILE}");
        int weighbridgePassed = 0;
"""
_END = """
        var weighbridgeText = "\\n" + weighbridgeWord + " " + weighbridgePassed + "\\n";
        var weighbridgeBytes = global::System.Text.Encoding.ASCII.GetBytes(weighbridgeText);
        weighbridgeOut.Write(weighbridgeBytes, 0, weighbridgeBytes.Length);
        weighbridgeOut.Flush();
    }
}
"""


def multipl_e(tests: str) -> TestsCheck:
    """``tests`` closes the function and goes on in its class ``Problem``; a whole program has closed both."""
    asserts = [line.strip() for line in tests.split("\n") if line.strip().startswith(_ASSERT)]
    if not asserts:
        raise SuiteError("no Debug.Assert in a Main function", "give MultiPL-E's own tests")
    body = ""
    for number, line in enumerate(asserts, 1):
        actual, expected = _sides(line[len(_ASSERT) : closing(line, len(_ASSERT) - 1)])
        body += f"        WeighbridgeTest(WeighbridgeSame(Problem.{actual}, {expected}), {number});\n"
        body += "        weighbridgePassed++;\n"
    return TestsCheck("", _OPEN + body + _END + last_line(NONCE), len(asserts))


def _sides(condition: str) -> tuple[str, str]:
    """``f(x).Equals(y)`` and ``f(x) == (y)`` as ``f(x)`` and ``y``, with .NET's own types in both."""
    condition = _TYPE.sub(r"global::System.\1", condition)
    condition = _COLLECTION.sub(r"global::System.Collections.Generic.\1<", condition)
    compared = equality(condition)
    if compared is not None:
        return compared
    end = closing(condition, condition.index("(")) + 1
    if not condition[end:].startswith(" == "):
        raise SuiteError(f"no comparison in {condition[:80]!r}", "give MultiPL-E's own tests")
    return condition[:end], condition[end + len(" == ") :]
