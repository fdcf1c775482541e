"""One name for each programming language, whatever people, fences and files call it."""

from collections.abc import Mapping

ALIASES: Mapping[str, str] = {
    alias: language
    for language, aliases in {
        "bash": "sh shell zsh ksh shellscript",
        "c": "",
        "cobol": "cob cbl cpy gnucobol",
        "cpp": "c++ cc cxx hpp hh hxx",
        "csharp": "c# cs",
        "fortran": "f77 f90 f95 f03 f08",
        "go": "golang",
        "java": "",
        "javascript": "js jsx mjs cjs node nodejs",
        "lua": "",
        "perl": "pl pm",
        "php": "php7 php8",
        "python": "py python3 py3 pyi pycon ipython",
        "ruby": "rb",
        "rust": "rs",
        "typescript": "ts tsx mts cts",
    }.items()
    for alias in (language, *aliases.split())
}
"""Names, fence tags and file endings of the languages that suites are about."""

LANGUAGES = frozenset(ALIASES.values())
OF_REQUEST = "of_request"
"""Stands for a language in requirements: each request's own."""

# fmt: off
EXTENSIONS = (
    "py", "pyi", "rs", "go", "js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "java", "cs", "c", "cpp", "cc",
    "cxx", "hpp", "rb", "php", "pl", "pm", "lua", "sh", "cob", "cbl", "cpy", "f77", "f90", "f95", "f03", "f08",
)
# fmt: on
"""File endings that tell a language. A `.h` tells none, and `.f` and `.for` are words."""


def canonical(name: str) -> str:
    """The language's name as scorecards write it; a language that is not known keeps its own, in lower case."""
    lower = name.strip().lower()
    return ALIASES.get(lower, lower)
