"""What is left in the cache and in the logs."""

import json
from collections.abc import Iterator

from tests.chaos.audit.evidence import Evidence
from tests.chaos.speech import END, Heard, WireName, heard_stream, heard_whole

_WIRES: tuple[WireName, ...] = ("chat", "completions", "responses", "messages")


def cache_entries_are_whole_answers(evidence: Evidence) -> Iterator[str]:
    for key, entry in evidence.entries.items():
        found = json.loads(entry)
        body = "".join(found["pieces"]).encode()
        streamed = found["content_type"].startswith("text/event-stream")
        if not any(_is_whole(_on(wire, body, streamed)) for wire in _WIRES):
            yield f"{key} holds a part of an answer: ...{body[-300:]!r}"


def logs_hold_no_traceback(evidence: Evidence) -> Iterator[str]:
    for name, text in evidence.texts.items():
        if name.startswith("log") and (place := text.find("Traceback")) >= 0:
            start = text.rfind("\n", 0, place) + 1
            yield f"{text.count('Traceback')} in {name}; the first: {text[start : start + 3000]}"


def nobody_wrote_a_secret_down(evidence: Evidence) -> Iterator[str]:
    """Neither a key nor a prompt."""
    for name, text in evidence.texts.items():
        for secret in evidence.secrets:
            if (place := text.find(secret)) >= 0:
                yield f"{name} holds {secret!r}: {text[max(0, place - 200) : place + 200]!r}"


def gateways_stopped_in_order(evidence: Evidence) -> Iterator[str]:
    for code in evidence.done.exit_codes:
        if code != 0:
            yield f"a gateway that was told to stop ended with {code}"


def _on(wire: WireName, body: bytes, streamed: bool) -> Heard | None:
    try:
        return heard_stream(wire, body) if streamed else heard_whole(wire, body)
    except (ValueError, KeyError, IndexError, TypeError):
        return None  # it is of another wire


def _is_whole(heard: Heard | None) -> bool:
    return heard is not None and heard.complete and not heard.failed and heard.text.endswith(END)
