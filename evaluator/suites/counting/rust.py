"""Rust: the tests are a crate of their own, which knows the solution by its functions' declared types only."""

import re
from dataclasses import dataclass

from evaluator.languages.linked import WORD_FILE, after
from evaluator.languages.rust import SOLUTION
from evaluator.suites.suite import NONCE, SuiteError, TestsCheck

_FUNCTION = re.compile(
    r"\bfn\s+(?P<name>\w+)\s*(?:<(?P<lifetimes>['\w, ]+)>)?\s*\((?P<parameters>[^{;]*?)\)\s*(?:->(?P<result>[^{;]+))?\{"
)
_TYPE = re.compile(r"\b(?:struct|enum)\s+(\w+)")
_USE = re.compile(r"^use [^;]*;", re.MULTILINE)
_ASSERT = re.compile(r"\b(assert|assert_eq)!\s*\(")
_TEST = re.compile(r"#\[test\]\s*(?://[^\n]*\s*)*fn\s+(\w+)\s*\(\)")
_COMMENT = re.compile(r"\A\s*/\*.*?\*/\s*\Z", re.DOTALL)
_MODULE = re.compile(r"#\[cfg\(test\)\]\s*mod (\w+)")
_OLD_RANGE = re.compile(r"\bgen_range\(([^(),]+), ([^(),]+)\)")
"""HumanEval-X was written for rand 0.4; later ones take a range."""

# The word is read in .preinit_array, ahead of every initialiser: this crate's objects are linked first.
_BEGIN = f"""
extern "C" {{
    fn open(path: *const u8, flags: i32, ...) -> i32;
    fn read(file: i32, to: *mut u8, most: usize) -> isize;
    fn write(file: i32, from: *const u8, size: usize) -> isize;
    fn unlink(path: *const u8) -> i32;
    fn _exit(status: i32) -> !;
}}
static mut WEIGHBRIDGE_WORD: [u8; 64] = [0; 64];
static mut WEIGHBRIDGE_SIZE: isize = 0;
static mut WEIGHBRIDGE_PASSED: usize = 0;
extern "C" fn weighbridge_begin() {{
    unsafe {{
        let file = open(b"{WORD_FILE}\\0".as_ptr(), 0);
        WEIGHBRIDGE_SIZE = read(file, WEIGHBRIDGE_WORD.as_mut_ptr(), 64);
        unlink(b"{WORD_FILE}\\0".as_ptr());
        if WEIGHBRIDGE_SIZE < 1 {{ _exit(1) }}
    }}
}}
#[used]
#[link_section = ".preinit_array"]
static WEIGHBRIDGE_FIRST: extern "C" fn() = weighbridge_begin;
fn weighbridge_check(passed: bool, seen: &::std::sync::atomic::AtomicBool, what: &str) {{
    unsafe {{
        if !passed {{
            let said = ::std::format!("this does not hold: {{what}}\\n");
            write(2, said.as_ptr(), said.len());
            _exit(1)
        }}
        if !seen.swap(true, ::std::sync::atomic::Ordering::Relaxed) {{ WEIGHBRIDGE_PASSED += 1 }}
    }}
}}
fn weighbridge_end() {{
    unsafe {{
        let word = ::std::string::String::from_utf8_lossy(&WEIGHBRIDGE_WORD[..WEIGHBRIDGE_SIZE as usize]);
        let line = ::std::format!("\\n{{word}} {{}}\\n", WEIGHBRIDGE_PASSED);
        write(1, line.as_ptr(), line.len());
        _exit(0)
    }}
}}
macro_rules! weighbridge_assert {{
    ($passed:expr $(, $($said:tt)*)?) => {{{{
        static SEEN: ::std::sync::atomic::AtomicBool = ::std::sync::atomic::AtomicBool::new(false);
        crate::weighbridge_check($passed, &SEEN, ::std::stringify!($passed))
    }}}};
}}
macro_rules! weighbridge_assert_eq {{
    ($left:expr, $right:expr $(, $($said:tt)*)?) => {{{{
        static SEEN: ::std::sync::atomic::AtomicBool = ::std::sync::atomic::AtomicBool::new(false);
        let passed = match (&$left, &$right) {{ (left, right) => *left == *right }};
        crate::weighbridge_check(passed, &SEEN, ::std::stringify!($left == $right))
    }}}};
}}
"""


@dataclass(frozen=True, slots=True)
class _Function:
    name: str
    type: str
    """As a function pointer's: ``fn(Vec<i32>) -> bool``."""


def multipl_e(tests: str, prompt: str) -> TestsCheck:
    """``tests`` closes the function that ``prompt`` opens; then comes ``main``."""
    functions = _functions(prompt)[-1:]
    body = tests.lstrip().removeprefix("}").replace("fn main()", "fn weighbridge_tests()", 1)
    return _check(prompt, functions, [], body, ["weighbridge_tests"])


def humaneval_x(test: str, declaration: str) -> TestsCheck:
    """``declaration``: with the canonical solution, as tests call functions and name types that only this declares.

    The suite has the test of one task in a comment (its canonical solution does not end): there is none, then.
    """
    test = _COMMENT.sub("", test)
    functions = [function for function in _functions(declaration) if re.search(rf"\b{function.name}\(", test)]
    types = [name for name in _TYPE.findall(declaration) if re.search(rf"\b{name}\b", test)]
    module = _MODULE.search(test)
    names = _TEST.findall(test) if module else []
    body = _TEST.sub(r"pub fn \1()", _OLD_RANGE.sub(r"gen_range(\1..\2)", test.replace("#[cfg(test)]", "")))
    return _check(declaration, functions, types, body, [f"{module and module[1]}::{name}" for name in names])


def _check(opening: str, functions: list[_Function], types: list[str], body: str, called: list[str]) -> TestsCheck:
    text, count = _ASSERT.subn(r"weighbridge_\1!(", body)
    if body.strip() and not (functions and called and count):
        raise SuiteError("no function, or no asserts in its tests", "give the suite's own tests and prompts")
    hook = "".join(f"pub const weighbridge_{f.name}: {f.type} = {f.name};\n" for f in functions)
    program = "\n".join(
        [
            *_USE.findall(opening),
            *(f"use {SOLUTION}::{name};" for name in types),
            *(f"static {f.name}: {f.type} = {SOLUTION}::weighbridge_{f.name};" for f in functions),
            _BEGIN,
            text,
            f"fn main() {{ {''.join(f'{name}(); ' for name in called)}weighbridge_end() }}",
        ]
    )
    return TestsCheck("", after(hook, program, NONCE), count)


def _functions(source: str) -> list[_Function]:
    functions = []
    for found in _FUNCTION.finditer(source):
        types = ", ".join(parameter.partition(":")[2].strip() for parameter in _parameters(found["parameters"]))
        generic = f"for<{found['lifetimes']}> " if found["lifetimes"] else ""
        result = f" -> {found['result'].strip()}" if found["result"] else ""
        functions.append(_Function(found["name"], f"{generic}fn({types}){result}"))
    return functions


def _parameters(text: str) -> list[str]:
    """Cut at the commas that are in no bracket."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([<") - (character in ")]>")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in parts if part.strip()]
