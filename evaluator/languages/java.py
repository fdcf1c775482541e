"""Java under OpenJDK. A program is one file; its classes may have any names."""

import re
from pathlib import Path

from evaluator.languages import secret_word
from evaluator.languages.language import Recipe
from evaluator.languages.preparation import preparation
from evaluator.languages.toolchain import missing_program

TESTS_CLASS = "WeighbridgeTests"
"""Holds the ``main`` of a suite's test program."""

_TUPLES = "/usr/share/java/javatuples.jar"
_TOKEN = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | \"{3}.*?\"{3} | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
    | (?P<brace>[{}])
    | (?P<public>\bpublic\s+)?(?:\b(?:abstract|final|sealed|strictfp)\s+)*
      \b(?:class|interface|enum|record)\s+(?P<type>\w+)
    | (?P<main>\bvoid\s+main\s*\()
    | (?P<package>^\s*package\s+[\w.]+\s*;)""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)

# The first compiler's code is ready sooner, and one thread collects a small heap's garbage sooner than many.
_QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto")
_SMALL = ("-Xmx1g", "-XX:CompressedClassSpaceSize=64m", "-XX:ReservedCodeCacheSize=64m")
# Standard modules only: without sun.misc.Unsafe, which could change what a number is, and without agents.
_CLOSED = ("--limit-modules", "java.se", "-XX:+DisableAttachMechanism")
_JAVAC = ("javac", *(f"-J{flag}" for flag in (*_QUICK, *_SMALL)), "-proc:none", "-nowarn", "-g:none", "-cp", _TUPLES)
_ARCHIVE = "javac.jsa"
# The compiler's own classes, loaded and linked, as it left them after some usual code: 0.3 s in the place of 0.7.
_PREPARE = f"""
cat >Usual.java <<'END'
{Path(__file__).with_name("java_usual.java").read_text()}
END
{" ".join(_JAVAC)} -J-XX:ArchiveClassesAtExit={_ARCHIVE} Usual.java
"""


class Java:
    name = "java"
    tags = frozenset({"java"})

    def missing(self) -> str | None:
        if not Path(_TUPLES).exists():
            return "javatuples is missing; install it: apt-get install libjavatuples-java"
        return missing_program("javac", "default-jdk-headless")

    def recipe(self, source: str) -> Recipe:
        program, word = secret_word.split(source)
        program, file_class, main_class = _layout(program)
        if word:
            main_class = TESTS_CLASS
        prepared = preparation("java", "javac", _PREPARE, (_ARCHIVE,), needed=False)
        archive = f"-J-XX:SharedArchiveFile={prepared.folder}/{_ARCHIVE}"
        java = ("java", *_QUICK, *_SMALL, *_CLOSED, "-ea", "-cp", f".:{_TUPLES}", main_class)
        return Recipe(
            {f"{file_class}.java": program.encode(errors="replace"), **word},
            java,
            compile=(*_JAVAC, archive, "-encoding", "UTF-8", f"{file_class}.java"),
            keep=("*.class", *word),
            preparation=prepared,
        )


def _layout(source: str) -> tuple[str, str, str]:
    """The source without a package, the class that its file is named after, the class that is run."""
    depth, current, public = 0, "Main", ""
    runnable: list[str] = []
    for token in _TOKEN.finditer(source):
        if token["brace"]:
            depth += 1 if token["brace"] == "{" else -1
        elif token["type"] and depth == 0:
            current = token["type"]
            public = current if token["public"] else public
        elif token["main"] and depth == 1:
            runnable.append(current)
        elif token["package"] and depth == 0:
            source = source[: token.start()] + " " * len(token[0]) + source[token.end() :]
    file_class = public or "Main"
    return source, file_class, file_class if file_class in runnable else [*runnable, file_class][0]
