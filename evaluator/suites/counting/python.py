"""Python: each assert becomes a numbered test, and runs in a process apart from the solution."""

import ast
import builtins

from evaluator.languages import secret_word
from evaluator.suites.suite import NONCE, SuiteError, TestsCheck


def humaneval_x(test: str, _declaration: str) -> TestsCheck:
    """``test`` defines ``check``, which asserts, and calls it with the solution's function."""
    try:
        tree = ast.parse(test)
    except SyntaxError as error:
        raise SuiteError(f"tests that do not parse: {error}", "give HumanEval-X's own tests") from error
    numbered = _Numbered()
    program = ast.unparse(ast.fix_missing_locations(numbered.visit(tree)))
    if not numbered.count:
        raise SuiteError("no asserts", "give HumanEval-X's own tests")
    given = "".join(f"{name} = weighbridge_call({name!r})\n" for name in sorted(_unbound(tree)))
    tests = secret_word.tests_begin("#") + given + program + secret_word.last_line(NONCE, "#")
    return TestsCheck("", tests, numbered.count)


class _Numbered(ast.NodeTransformer):
    count = 0

    def visit_Assert(self, node: ast.Assert) -> ast.Expr:
        self.count += 1
        name = ast.Name("weighbridge_test", ast.Load())
        return ast.Expr(ast.Call(name, [ast.Constant(self.count), node.test], []))


def _unbound(tree: ast.Module) -> set[str]:
    """Names that the tests use, and neither their module nor Python defines: the solution's functions, and locals."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    bound = set(dir(builtins)) | {"weighbridge_test"}
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                bound.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                bound.update(alias.asname or alias.name for alias in names)
    return used - bound
