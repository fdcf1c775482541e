"""The ledger: one terminal row a request, which says what the upstream's own log and the client say."""

from collections.abc import Iterator

from tests.chaos.audit.evidence import SPEAKS_ON, Evidence, Served
from tests.chaos.speech import Usage
from tests.chaos.stage import CACHED_USD, INPUT_USD, OUTPUT_USD
from tests.chaos.store import Row

_NANO_A_TOKEN = {name: round(usd * 1000) for name, usd in
                 (("input", INPUT_USD), ("cached", CACHED_USD), ("output", OUTPUT_USD))}  # fmt: skip
_OVERLOADED = 529  # OpenAI's clients are told 503


def every_request_has_one_row(evidence: Evidence) -> Iterator[str]:
    """Those whose id a client was told, and those that an upstream saw; and nobody has two, or one without an end."""
    ids = {row["id"] for row in evidence.rows}
    if len(ids) != len(evidence.rows):
        yield f"{len(evidence.rows) - len(ids)} ids are in the ledger more than once"
    for answer in evidence.answers:
        rows = evidence.rows_of.get(answer.ask.id, [])
        if len(rows) > 1:
            yield f"{answer.ask.id} has {len(rows)} rows"
        if answer.request_id is not None and answer.request_id not in ids:
            yield f"{answer.ask.id} was told of {answer.request_id} ({_of(answer.headers)}), which has no row"
        if evidence.served_of.get(answer.ask.id) and not rows:
            yield f"{answer.ask.id} was seen upstream and has no row"
    for row in evidence.rows:
        if row["outcome"] is None:
            yield f"{row['session']} ({row['id']}) has no end"


def rows_say_what_clients_heard(evidence: Evidence) -> Iterator[str]:
    for answer in evidence.answers:
        for row in evidence.rows_of.get(answer.ask.id, []):
            if answer.end != "complete" or row["outcome"] == "orphaned" or answer.request_id != row["id"]:
                continue
            told = 503 if row["status"] == _OVERLOADED else row["status"]
            heard = 503 if answer.status == _OVERLOADED else answer.status
            if told != heard:
                yield f"{answer.ask.id} was told {answer.status}; its row says {row['status']} {row['outcome']}"


def what_came_from_elsewhere_is_free(evidence: Evidence) -> Iterator[str]:
    """A hit, or another request's flight: nothing is asked upstream, nothing is billed."""
    for row in evidence.rows:
        if row["cache"] in ("hit", "shared"):
            if row["cost_nanousd"]:
                yield f"{row['session']} ({row['cache']}) cost {row['cost_nanousd']}"
            if evidence.served_of.get(row["session"]):
                yield f"{row['session']} ({row['cache']}) was asked upstream"


def provider_rows_are_the_upstreams_own(evidence: Evidence) -> Iterator[str]:
    for row in evidence.rows:
        if row["usage_source"] != "provider" or row["cache"] not in SPEAKS_ON:
            continue
        counted = Usage(row["input_tokens"], row["cached_input_tokens"], row["output_tokens"])
        reported = [served.usage for served in _at_last_place(evidence, row)]
        if counted not in reported:
            yield f"{row['session']} is billed {counted}; upstream reported {reported}"


def whole_answers_are_billed_by_the_provider(evidence: Evidence) -> Iterator[str]:
    """Where the upstream reported its usage and the whole answer went through, nothing is guessed."""
    for row in evidence.rows:
        if row["outcome"] != "ok" or row["cache"] not in SPEAKS_ON or row["usage_source"] == "provider":
            continue
        if all(served.usage is not None for served in _at_last_place(evidence, row)):
            yield f"{row['session']} went through whole and is billed by {row['usage_source']}"


def other_rows_are_within_their_bound(evidence: Evidence) -> Iterator[str]:
    """Where no count came, never more output than the upstream wrote."""
    for row in evidence.rows:
        if row["usage_source"] not in ("estimated", "last_seen") or row["cache"] not in SPEAKS_ON:
            continue
        said = max((served.said for served in _at_last_place(evidence, row)), default=0)
        if row["output_tokens"] > said:
            yield f"{row['session']} is billed {row['output_tokens']} words ({row['usage_source']}), {said} were said"


def costs_are_tokens_times_prices(evidence: Evidence) -> Iterator[str]:
    for row in evidence.rows:
        if row["outcome"] in (None, "orphaned") or row["cache"] not in SPEAKS_ON:
            continue
        fresh = row["input_tokens"] - row["cached_input_tokens"]
        counts = {"input": fresh, "cached": row["cached_input_tokens"], "output": row["output_tokens"]}
        due = sum(_NANO_A_TOKEN[kind] * count for kind, count in counts.items())
        if row["cost_nanousd"] != due:
            yield f"{row['session']} cost {row['cost_nanousd']}, its tokens come to {due}"


def unbilled(evidence: Evidence) -> int:
    """The most, in nano-dollars, that upstreams can have spent on requests whose worker died before their end."""
    lost = [row["session"] for row in evidence.rows if row["outcome"] == "orphaned"]
    served = [one for ask in lost for one in evidence.served_of.get(ask, [])]
    inputs = sum(one.usage.input for one in served if one.usage is not None)
    return inputs * _NANO_A_TOKEN["input"] + sum(one.said for one in served) * _NANO_A_TOKEN["output"]


def _at_last_place(evidence: Evidence, row: Row) -> list[Served]:
    """Where the answer came from that is billed, if any did."""
    if not row["attempts"]:
        return []
    server = evidence.servers[row["attempts"][-1]["replica"]]
    return [served for served in evidence.served_of.get(row["session"], []) if served.server == server]


def _of(headers: dict[str, str]) -> str:
    return f"cache {headers.get('x-weighbridge-cache')}, route {headers.get('x-weighbridge-route')}"
