"""Rust under rustc, edition 2021, with the crates that public suites use: rand, regex, md5. Overflow panics."""

import re

from evaluator.languages import linked
from evaluator.languages.language import Recipe
from evaluator.languages.preparation import preparation
from evaluator.languages.toolchain import missing_program

SOLUTION = "solution"
"""The crate that a solution becomes where tests are linked with it."""

_RUSTC = (
    "rustc --edition 2021 --cap-lints allow -C debuginfo=0 -C opt-level=1 -C debug-assertions=on -C codegen-units=1"
    " -C prefer-dynamic"
)
_CRATES = ("rand", "regex", "md5")
_USES_CRATE = re.compile(rf"\b(?:{'|'.join(_CRATES)})\b")

# Debian's sources. regex goes without its literal searcher, which would take two more crates.
_PREPARE = """
crate() {
    name=$1 edition=$2 source=$3; shift 3
    rustc --crate-name $name --edition $edition --crate-type rlib --cap-lints allow -C debuginfo=0 -C opt-level=1 \\
        -o lib$name.rlib /usr/share/cargo/registry/$source/src/lib.rs "$@"
}
features() { for name; do printf -- '--cfg feature="%s" ' $name; done; }
needs() { for name; do printf -- '--extern %s=lib%s.rlib ' $name $name; done; }
std=$(features std)
libc=$(for name in align cfg_target_vendor const_extern_fn core_cvoid int128 long_array packedN priv_mod_use \\
    ptr_addr_of union; do printf -- '--cfg libc_%s ' $name; done)
unicode=$(features default std unicode; for name in age bool case gencat perl script segment; do
    features unicode-$name; done)
crate cfg_if 2018 cfg-if-*
crate libc 2015 libc-0.2.* $std $libc
crate getrandom 2018 getrandom-* $std $(needs cfg_if libc)
crate rand_core 2018 rand_core-* $(features std alloc getrandom) -L . $(needs getrandom)
crate ppv_lite86 2018 ppv-lite86-* $(features std simd)
crate rand_chacha 2018 rand_chacha-* $std -L . $(needs rand_core ppv_lite86)
crate rand 2018 rand-0.8* $(features std std_rng alloc getrandom) -L . $(needs rand_core rand_chacha libc)
crate regex_syntax 2018 regex-syntax-* $unicode
crate regex 2018 regex-1* $unicode $(features perf-cache perf-dfa perf-inline) $(needs regex_syntax)
crate md5 2015 md5-* $std
"""
_SCRIPT = """
{rustc} --crate-type rlib --crate-name {solution} -o lib{solution}.rlib solution.rs
objcopy -w --keep-global-symbol='_ZN*' --keep-global-symbol='_R*' --keep-global-symbol='*.llvm.*' \\
    lib{solution}.rlib
show >tests.rs
{rustc} -C opt-level=0 --crate-name tests --extern {solution}=lib{solution}.rlib -o main tests.rs
"""


class Rust:
    name = "rust"
    tags = frozenset({"rust", "rs"})

    def missing(self) -> str | None:
        return missing_program("rustc", "rustc")

    def recipe(self, source: str) -> Recipe:
        prepared, rustc = None, _RUSTC
        if _USES_CRATE.search(source):
            prepared = preparation("rust", "rustc", _PREPARE, ("*.rlib",), needed=True)
            crates = (f"--extern {name}={prepared.folder}/lib{name}.rlib" for name in _CRATES)
            rustc += f" -L {prepared.folder} {' '.join(crates)}"
        if parts := linked.parts(source):
            files = {"solution.rs": parts.solution, "tests.rs": parts.tests}
            return linked.recipe(files, parts.word, _SCRIPT.format(rustc=rustc, solution=SOLUTION), prepared)
        return Recipe(
            {"main.rs": source.encode(errors="replace")},
            ("./main",),
            compile=(*rustc.split(), "-o", "main", "main.rs"),
            keep=("main",),
            preparation=prepared,
        )
