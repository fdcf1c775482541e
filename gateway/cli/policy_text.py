"""A decision's explanation as text."""

from collections.abc import Iterator
from typing import Any

from evaluator.figures import dollars, milliseconds, share
from gateway.cli.table import wrapped

_ALWAYS_ASKED = frozenset(
    {"request_context", "request_output", "request_language", "request_capabilities", "available"}
)
_INDENT = " " * 12


def explanation_lines(explanation: dict[str, Any]) -> Iterator[str]:
    otherwise = explanation["otherwise"]
    when_none = "refuse the request" if otherwise == "refuse" else otherwise
    yield f"policy {explanation['policy']}: {explanation['objective'] or explanation['kind']}"
    yield f"  when no route keeps every requirement: {when_none}; unmeasured routes: {explanation['unmeasured']}"
    if explanation["evidence"] == "published":
        yield "  goes by published figures, and by no measured ones"
    request = explanation["request"]
    max_tokens = "no max_tokens" if request["max_tokens"] is None else f"max_tokens {request['max_tokens']:,}"
    language = request["language"] or "not known"
    needs = f", needs {', '.join(request['needs'])}" if request["needs"] else ""
    yield f"request: {request['input_tokens_estimate']:,} tokens in, {max_tokens}, language {language}{needs}"
    if explanation["used_otherwise"]:
        yield f"no route keeps every requirement, so requirements on evidence are waived: {otherwise}"
    if (stick := explanation["stick"]) is not None and stick["reason"] is not None:
        yield wrapped(f"within its session: {stick['reason']}", "", "  ")
    if (learned := explanation.get("learned")) is not None:
        yield wrapped(f"learned: {learned['reason']}", "", "  ")
    if (shadow := explanation["shadow"]) is not None:
        yield wrapped(f"shadow: {shadow['reason']}", "", "  ")
    for route in explanation["routes"]:
        yield ""
        yield from _route_lines(route, route["route"] == explanation["chosen"])


def _route_lines(route: dict[str, Any], chosen: bool) -> Iterator[str]:
    verdict = "chosen " if chosen else "kept   " if route["kept"] else "dropped"
    yield f"{verdict}  {route['route']}, revision {route['revision']}"
    yield wrapped(_figure(route["objective"]), "    figure  ", _INDENT)
    # What dropped a route is what the reader looks for; what every policy asks is worth a line only when it did.
    for finding in sorted(route["findings"], key=lambda finding: bool(finding["kept"])):
        if not finding["kept"] or finding["requirement"] not in _ALWAYS_ASKED:
            mark = "ok    " if finding["kept"] else "waived" if route["kept"] else "no    "
            yield wrapped(f"{finding['requirement']}: {finding['reason']}", f"    {mark}  ", _INDENT)


def _figure(figure: dict[str, Any]) -> str:
    value, meaning = figure["value"], figure["meaning"]
    if value is None:
        return f"none {meaning}" if meaning.startswith("of the sessions") else f"unmeasured: {meaning}"
    shown = _SHOWN[figure["unit"]](value)
    source = "; run" if figure["origin"] == "measured" else "; published, not measured:"
    return f"{shown} {meaning}" + (f"{source} {figure['run_id']}" if figure["run_id"] else "")


def _score(value: float) -> str:
    return f"score {value:.3f} (less is better)"


def _place(value: float) -> str:
    return f"place {value:.0f}"


_SHOWN = {"nanousd": dollars, "share": share, "ms": milliseconds, "score": _score, "place": _place}
