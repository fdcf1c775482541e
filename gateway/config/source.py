"""YAML as text and line numbers: scalars stay as they were written, and the schema gives them their types.

So a revision `1.10` is not rounded to 1.1, a licence `no` is not false, and what an environment variable holds is never
read as YAML.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from gateway.config.problem import Location, Problem

_SHORTEST_SECRET = 6
_MAX_VALUES = 10_000
"""Aliases may repeat a part of the file, but not blow it up."""
_MAX_DEPTH = 20
_CORE = "tag:yaml.org,2002:"
_TAGS = {
    yaml.ScalarNode: {_CORE + name for name in ("str", "int", "float", "bool", "null", "timestamp", "value")},
    yaml.SequenceNode: {_CORE + "seq"},
    yaml.MappingNode: {_CORE + "map"},
}
_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{")


@dataclass(slots=True)
class Source:
    """One file as read: its values, their lines, and what was wrong so far."""

    file: str
    values: object = None
    lines: dict[Location, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    filled: dict[str, str] = field(default_factory=dict, repr=False)
    """What variables hold that the file names: it may be secret, so no problem shows it."""

    def problem(self, location: Location, message: str, fix: str) -> Problem:
        """Placed at ``location``, or at the nearest part around it that the file has."""
        line = next(
            (self.lines[location[:end]] for end in range(len(location), -1, -1) if location[:end] in self.lines), 1
        )
        return Problem(self.file, line, location, self._unfilled(message), self._unfilled(fix))

    def report(self, location: Location, message: str, fix: str) -> None:
        """Only the first problem of a place, or within it, is kept: others would follow from it."""
        if all(problem.location[: len(location)] != location for problem in self.problems):
            self.problems.append(self.problem(location, message, fix))

    def _unfilled(self, said: str) -> str:
        for name, value in self.filled.items():
            if len(value) >= _SHORTEST_SECRET:
                said = said.replace(value, f"${{{name}}}")
        return said


def read(text: str, file: str, env: Mapping[str, str]) -> Source:
    """Parses ``text``; whatever is wrong stands in the source's ``problems``."""
    source = Source(file)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        source.problems.append(_unreadable(file, mark.line + 1 if mark else None, str(error.problem or error.context)))
    except yaml.YAMLError as error:
        source.problems.append(_unreadable(file, None, str(error)))
    except RecursionError:
        source.problems.append(_unreadable(file, None, "nested too deeply"))
    else:
        if root is not None:
            try:
                source.values = _Reader(source, env).value(root, ())
            except _TooLarge:
                fix = "write fewer settings, and repeated parts out"
                source.problems = [Problem(file, None, (), "too large or too deep, perhaps by its aliases", fix)]
    return source


class _TooLarge(Exception):
    pass


def _unreadable(file: str, line: int | None, reason: str) -> Problem:
    return Problem(file, line, (), f"not YAML: {reason}", "see docs/configuration.md for a whole example")


class _Reader:
    def __init__(self, source: Source, env: Mapping[str, str]) -> None:
        self._source = source
        self._env = env
        self._left = _MAX_VALUES

    def value(self, node: yaml.Node, at: Location) -> object:
        self._source.lines.setdefault(at, node.start_mark.line + 1)
        self._left -= 1
        if self._left < 0 or len(at) > _MAX_DEPTH:
            raise _TooLarge
        if node.tag not in _TAGS.get(type(node), ()):
            self._source.report(at, f"tag {node.tag.replace(_CORE, '!!')} is not allowed", "write a plain value")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*at, index)) for index, item in enumerate(node.value)]
        return None if node.tag == _CORE + "null" else self._substituted(node.value, at)

    def _mapping(self, node: yaml.MappingNode, at: Location) -> dict[str, object]:
        values: dict[str, object] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._source.report(at, "a key must be a plain word", "quote it, or write a word")
                continue
            place = (*at, key.value)
            if key.value in values:
                first, again = self._source.lines[place], key.start_mark.line + 1
                fix = f"keep the one in line {first} or the one in line {again}"
                self._source.problems.append(Problem(self._source.file, again, place, "written twice", fix))
                continue
            self._source.lines[place] = key.start_mark.line + 1
            if key.tag == _CORE + "merge":
                self._source.report(place, "merge keys are not supported", "write the keys out")
                continue
            values[key.value] = self.value(item, place)
        return values

    def _substituted(self, text: str, at: Location) -> str | None:
        """Fills in `${NAME}` and `${NAME:-default}`; `$${` stands for `${`. Nothing left means not given."""
        if "${" not in text:
            return text
        filled = _REFERENCE.sub(lambda match: self._reference(match, at), text)
        return filled or None

    def _reference(self, match: re.Match[str], at: Location) -> str:
        name, default = match["name"], match["default"]
        if match[0] == "$${":
            return "${"
        if name is None:
            self._source.report(at, "'${' without a variable's name", "write ${NAME}, or $${ for the two characters")
        elif name in self._env:
            self._source.filled[name] = self._env[name]
            return self._env[name]
        elif default is not None:
            return default
        elif not (name == "WEIGHBRIDGE_API_KEY" and at == ("api_key",)):  # no key: only loopback is served
            fix = f"set it, or write ${{{name}:-DEFAULT}}"
            self._source.report(at, f"the environment variable {name} is not set", fix)
        return ""
