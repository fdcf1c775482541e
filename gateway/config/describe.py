"""pydantic's errors in the words of the file."""

from pydantic_core import ErrorDetails

from gateway.config.names import did_you_mean
from gateway.config.problem import Location, Report
from gateway.config.schema import field_at, keys_at

_SECRET_KEYS = frozenset({"api_key", "headers", "admin_key", "secret"})
_NUMBERS = {"whole": "is not a whole number", "any": "is not a number"}
_PHRASES = {
    "int_parsing": _NUMBERS["whole"],
    "int_type": _NUMBERS["whole"],
    "float_parsing": _NUMBERS["any"],
    "float_type": _NUMBERS["any"],
    "decimal_parsing": _NUMBERS["any"],
    "decimal_type": _NUMBERS["any"],
    "finite_number": _NUMBERS["any"],
    "bool_parsing": "is neither true nor false",
    "bool_type": "is neither true nor false",
    "string_type": "is not a plain text",
    "list_type": "is not a list",
    "too_short": "is empty",
    "string_too_short": "is empty",
    "greater_than": "is not above {gt}",
    "greater_than_equal": "is below {ge}",
    "less_than": "is not below {lt}",
    "less_than_equal": "is above {le}",
}


def describe(error: ErrorDetails) -> Report:
    at: Location = tuple(step for step in error["loc"] if step != "[key]")
    kind, given = error["type"], error["input"]
    if kind == "extra_forbidden":
        return at, "unknown key", did_you_mean(str(at[-1]), keys_at(at[:-1]))
    if kind == "missing":
        return at, "missing", _example(at)
    if kind == "literal_error":
        options = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return at, f"{_shown(at, given)} is not one of {', '.join(options)}", did_you_mean(str(given), options)
    if kind in ("model_type", "dict_type"):
        return at, "needs settings below it (key: value)", _example(at)
    if kind in _PHRASES:
        return at, f"{_shown(at, given)} {_PHRASES[kind].format(**error.get('ctx', {}))}", _example(at)
    message, _, fix = error["msg"].removeprefix("Value error, ").partition("; ")
    return at, message, fix or _example(at)


def _shown(at: Location, given: object) -> str:
    if _SECRET_KEYS.intersection(map(str, at)) or not isinstance(given, str) or not given:
        return "this"
    return f"'{given}'"


def _example(at: Location) -> str:
    field = field_at(at)
    if field is not None and field.examples:
        return f"write for example `{at[-1]}: {field.examples[0]}`"
    keys = keys_at(at)
    return f"it may hold {', '.join(keys)}" if keys else "see docs/configuration.md"
