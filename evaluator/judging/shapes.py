"""What code looks like, for languages that nothing here parses: patterns of lines."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from evaluator.languages import LANGUAGES

_BRACES = r"^[ \t]*[})\]]+[;,)]*[ \t]*$|[;{}][ \t]*(?://.*|#.*)?$"


@dataclass(frozen=True, slots=True)
class Shape:
    """Patterns hold ``NAME`` where the function's name stands, and are searched for line by line."""

    language: str
    defines: str
    """A line that begins the definition of the function ``NAME``."""
    begins: str
    """A line that can be the first of a program: what it imports, declares, or defines."""
    ends: str = _BRACES
    """A line that can be the last of a program."""
    closes: Literal["}", "end"] = "}"
    imports: str | None = None
    """A line that brings names in; the prompt's are added to a program that lacks them."""
    main: str | None = None
    """The beginning of an entry point of the answer's own, which a function's tests do without."""
    comment: str = r"//[^\n]*|/\*.*?(?:\*/|\Z)"
    found: Mapping[str, re.Pattern[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        patterns = {"begins": self.begins, "ends": self.ends, "any": self.defines.replace("NAME", r"(\w+)")}
        patterns |= {key: text for key, text in (("imports", self.imports), ("main", self.main)) if text}
        compiled = {key: re.compile(text, re.MULTILINE) for key, text in patterns.items()}
        lexemes = rf"""{self.comment}|"(?:\\.|[^"\\\n])*"?|'(?:\\[^'\n]+|[^'\\\n])'|`[^`]*`?|[{{}}]"""
        compiled["lexemes"] = re.compile(lexemes, re.DOTALL)
        object.__setattr__(self, "found", compiled)

    @property
    def tags(self) -> frozenset[str]:
        language = LANGUAGES.get(self.language)
        return language.tags if language else frozenset({self.language})

    def names_in(self, code: str) -> list[str]:
        """All functions that ``code`` defines, in order."""
        return [name for found in self.found["any"].finditer(code) for name in found.groups() if name]

    def definition(self, name: str) -> re.Pattern[str]:
        return re.compile(self.defines.replace("NAME", re.escape(name)), re.MULTILINE)


_TYPE = r"[A-Za-z_][\w:<>,.*&\[\]? ]*?"
_C = rf"^(?![ \t]*(?:return|else|new|throw|case)\b)[ \t]*{_TYPE}[\s*&]+(?:\w+::)?NAME\s*\((?![^\n]*;[ \t]*$)"
_METHOD = rf"^(?![ \t]*(?:return|else|new|throw|case)\b)[ \t]*{_TYPE}[\s\]>?]NAME\s*(?:<[^>\n]*>)?\((?![^\n]*;[ \t]*$)"
_HASH = r"\#[^\n]*"

SHAPES: Mapping[str, Shape] = {
    shape.language: shape
    for shape in (
        Shape(
            "c",
            _C,
            r"^(?:#\s*(?:include|define|if|pragma)|typedef\b|struct\b|enum\b|static\b|const\b|"
            r"(?:unsigned |long |short )*(?:int|char|void|double|float|long|bool|size_t)\b[\s*]+\w)",
            imports=r"^[ \t]*#[ \t]*include\b.*$",
            main=r"^[ \t]*(?:int|void)\s+main\s*\(",
        ),
        Shape(
            "cpp",
            _C,
            r"^(?:#\s*(?:include|define|if|pragma)|using\b|template\b|namespace\b|struct\b|class\b|enum\b|static\b|"
            r"const\b|std::\w|auto\b|"
            r"(?:unsigned |long )*(?:int|char|void|double|float|long|bool|string|vector)\b.*[\w>&*]\s+\w+)",
            imports=r"^[ \t]*(?:#[ \t]*include\b.*|using\s+namespace\s+\w+\s*;.*)$",
            main=r"^[ \t]*(?:int|void|auto)\s+main\s*\(",
        ),
        Shape(
            "csharp",
            _METHOD,
            r"^[ \t]*(?:using\s+[\w.]+\s*;|namespace\b|class\s+\w|"
            r"(?:(?:public|internal|static|sealed|partial|abstract|private)\s+)+\w)",
            imports=r"^[ \t]*using\s+[\w.]+\s*;.*$",
            main=r"^[ \t]*(?:(?:public|private|internal|static|async)\s+)+(?:void|int|Task)\s+Main\s*\(",
        ),
        Shape(
            "go",
            r"^func\s+NAME\s*[(\[]",
            r"^(?:package\s+\w|import\s*[(\"]|func\s+\w|func\s*\(|type\s+\w|var\s+\w|const\s+[\w(])",
            main=r"^func\s+(?:main\s*\(\s*\)|Test\w*\s*\(\s*\w+\s+\*testing\.T\s*\))",
        ),
        Shape(
            "java",
            _METHOD,
            r"^[ \t]*(?:package\s+[\w.]+\s*;|import\s+[\w.*]|import\s+static\b|"
            r"(?:(?:public|static|final|abstract|private)\s+)+\w|(?:class|interface|enum|record)\s+\w)",
            imports=r"^[ \t]*import\s+(?:static\s+)?[\w.*]+\s*;.*$",
            main=r"^[ \t]*(?:(?:public|static|final)\s+)+void\s+main\s*\(",
        ),
        Shape(
            "rust",
            r"^[ \t]*(?:pub(?:\([^)\n]*\))?\s+)?(?:(?:const|unsafe|async)\s+)*fn\s+NAME\s*[<(]",
            r"^(?:use\s+\w|extern\s+crate|mod\s+\w|#!?\[|"
            r"(?:pub(?:\(\w+\))?\s+)?(?:fn|struct|enum|trait|const|static|type|impl)\b)",
            imports=r"^use\s+[^;]+;.*$",
            main=r"^(?:pub\s+)?fn\s+main\s*\(\s*\)",
        ),
        Shape(
            "typescript",
            r"^(?:export\s+)?(?:default\s+)?(?:(?:async\s+)?function\s*\*?\s*NAME\s*[(<]|(?:const|let|var)\s+NAME\s*[:=])",
            r"^(?:import\s+[\w{*\"']|(?:export|declare|const|let|var|function|async|class|interface|type|enum)\s+\w)",
        ),
        Shape(
            "php",
            r"^[ \t]*function\s+&?NAME\s*\(",
            r"^(?:<\?php|namespace\s+\w|use\s+\w|declare\s*\(|\$\w+\s*=|"
            r"(?:(?:abstract|final)\s+)?(?:function|class|interface|trait|enum)\s+\w)",
            comment=r"//[^\n]*|\#[^\n]*|/\*.*?(?:\*/|\Z)",
        ),
        Shape(
            "perl",
            r"^[ \t]*sub\s+NAME\b",
            r"^(?:#!|use\s+[\w:]+|no\s+\w|package\s+\w|sub\s+\w|(?:my|our)\s*[$@%(]|BEGIN\b)",
            comment=r"(?<![$&@\\])\#[^\n]*",
        ),
        Shape(
            "bash",
            r"^[ \t]*(?:function\s+NAME\b|NAME\s*\(\s*\))",
            r"^(?:#!|set\s+-|shopt\s|function\s+\w|\w+\s*\(\s*\)|(?:declare|local|readonly|export)\s|[A-Za-z_]\w*=)",
            ends=r"^[ \t]*(?:\}|fi|done|esac)[ \t]*(?:#.*)?$|^\w+ (?:\"?\$|['\"]).*$",
            comment=r"(?<![\w$&{}\\])\#[^\n]*",
        ),
        Shape(
            "ruby",
            r"^[ \t]*def\s+(?:self\.)?NAME\b|^NAME\s*=\s*(?:->|lambda|proc)",
            r"^(?:require(?:_relative)?\s*[('\"]|def\s+\w|class\s+[A-Z]|module\s+[A-Z]|#\s*frozen_string|[A-Z]\w*\s*=)",
            ends=r"^[ \t]*end\b[\s).}]*$|^[ \t]*\}[ \t]*$|^def\s.*\)\s*=\s",
            closes="end",
            comment=_HASH,
        ),
        Shape(
            "lua",
            r"^[ \t]*(?:local\s+)?function\s+(?:\w+[.:])?NAME\s*\(|^(?:local\s+)?NAME\s*=\s*function\b",
            r"^(?:local\s+\w|function\s+\w|require\b|\w+\s*=\s*function\b|#!)",
            ends=r"^[ \t]*end\b[\s)},;]*$|^return\s+\w+[ \t]*$",
            closes="end",
            comment=r"--[^\n]*",
        ),
    )
}
