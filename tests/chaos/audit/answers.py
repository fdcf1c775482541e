"""What clients heard: whole answers of their own tenant, or an error, or a cut that somebody's death explains."""

from collections.abc import Iterator

from tests.chaos.audit.evidence import SPEAKS_ON, Evidence
from tests.chaos.clients import Answer
from tests.chaos.plan import CANARY, Ask
from tests.chaos.speech import END, Heard, heard_stream, heard_whole
from tests.chaos.upstream import USER_SEPARATOR

_TROUBLE = frozenset((429, 502, 503, 504, 529))
_SLACK_S = 2.0


def statuses_are_those_of_the_faults(evidence: Evidence) -> Iterator[str]:
    """No 400, 401, 404 or 500: the clients did nothing wrong, and the gateway never fails of itself."""
    for answer in evidence.answers:
        if answer.status not in (0, 200) and answer.status not in _TROUBLE:
            yield f"{answer.ask.id} got {answer.status}: {answer.body[:200]!r}"


def only_a_death_cuts_an_answer(evidence: Evidence) -> Iterator[str]:
    for answer in evidence.answers:
        if answer.end in ("cut", "no answer") and not _is_explained(evidence, answer):
            waited = answer.ended - answer.began
            yield f"{answer.ask.id}: {answer.end} after {waited:.1f} s at gateway {answer.ask.gateway}"


def answers_are_whole_or_say_that_they_are_not(evidence: Evidence) -> Iterator[str]:
    """Never a clean end without a finish, never a finish after an error, never less text than the upstream's."""
    for answer, heard in _heard(evidence):
        if isinstance(heard, str):
            yield f"{answer.ask.id}: {heard}"
        elif heard.failed and heard.complete:
            yield f"{answer.ask.id}: finished after an error event: {answer.body[-300:]!r}"
        elif not heard.failed and not heard.complete:
            yield f"{answer.ask.id}: ended without a finish and without an error: {answer.body[-300:]!r}"
        elif heard.complete and not heard.text.endswith(END):
            yield f"{answer.ask.id}: called complete, but its text is not: {heard.text!r}"


def nobody_hears_another_tenants_answer(evidence: Evidence) -> Iterator[str]:
    """Nor one to another question; a client's own answer is the one that its own request was given upstream."""
    for answer, heard in _heard(evidence, leavers=True):
        if isinstance(heard, str) or not heard.text.startswith("<") or ">" not in heard.text:
            continue
        tenant, ask, topic = heard.text[1:].partition(">")[0].split(USER_SEPARATOR)
        said = f"{answer.ask.id} of {answer.ask.tenant} heard {tenant}'s {ask} on {topic}"
        if tenant != answer.ask.tenant or topic != _topic(answer.ask):
            yield said
        elif answer.headers.get("x-weighbridge-cache") in SPEAKS_ON and ask != answer.ask.id:
            yield f"{said}, though the cache was not used"


def _heard(evidence: Evidence, *, leavers: bool = False) -> Iterator[tuple[Answer, Heard | str]]:
    for answer in evidence.answers:
        if answer.status == 200 and (answer.end == "complete" or (leavers and answer.end == "left" and answer.body)):
            yield answer, _understood(answer)


def _understood(answer: Answer) -> Heard | str:
    body = answer.body
    try:
        if answer.streamed:
            whole_events = body if answer.end == "complete" else body[: body.rfind(b"\n\n") + 1]
            return heard_stream(answer.ask.wire, whole_events)
        return heard_whole(answer.ask.wire, body)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        return f"no answer of its wire ({error!r}): {body[:300]!r}"


def _is_explained(evidence: Evidence, answer: Answer) -> bool:
    return any(
        gone.gateway == answer.ask.gateway
        and gone.began < answer.ended + _SLACK_S
        and answer.began < gone.ended + _SLACK_S
        for gone in evidence.done.disruptions
    )


def _topic(ask: Ask) -> str:
    return ask.prompt.removeprefix(CANARY).strip().replace(" ", "_")
