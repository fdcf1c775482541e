"""All of them, by name."""

from collections.abc import Callable, Iterator

from tests.chaos.audit import answers, ledger, limits, remains
from tests.chaos.audit.evidence import Evidence

Invariant = Callable[[Evidence], Iterator[str]]

INVARIANTS: tuple[Invariant, ...] = (
    answers.statuses_are_those_of_the_faults,
    answers.only_a_death_cuts_an_answer,
    answers.answers_are_whole_or_say_that_they_are_not,
    answers.nobody_hears_another_tenants_answer,
    ledger.every_request_has_one_row,
    ledger.rows_say_what_clients_heard,
    ledger.what_came_from_elsewhere_is_free,
    ledger.provider_rows_are_the_upstreams_own,
    ledger.whole_answers_are_billed_by_the_provider,
    ledger.other_rows_are_within_their_bound,
    ledger.costs_are_tokens_times_prices,
    limits.hard_budgets_are_never_overrun,
    limits.soft_budgets_are_overrun_by_what_is_under_way_at_most,
    limits.nothing_is_reserved_any_more,
    limits.valkey_knows_what_was_spent,
    remains.cache_entries_are_whole_answers,
    remains.logs_hold_no_traceback,
    remains.nobody_wrote_a_secret_down,
    remains.gateways_stopped_in_order,
)


def audit(evidence: Evidence) -> dict[str, list[str]]:
    """By invariant: what contradicts it; none where all is well."""
    return {invariant.__name__: list(invariant(evidence)) for invariant in INVARIANTS}
