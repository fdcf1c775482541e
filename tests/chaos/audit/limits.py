"""Budgets, and what Valkey is left with when nothing is under way."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from gateway.limiting.account import of_customer, of_key, of_team
from tests.chaos.audit.evidence import Evidence
from tests.chaos.plan import SOFT_PARALLEL
from tests.chaos.store import Row

_ABOUT_S = 15.0


def hard_budgets_are_never_overrun(evidence: Evidence) -> Iterator[str]:
    spent = spent_by_account(evidence)
    for account, budget in _hard_budgets(evidence).items():
        if spent[account] > budget:
            yield f"{account} spent {spent[account]} of {budget}: {spent[account] - budget} over"


def soft_budgets_are_overrun_by_what_is_under_way_at_most(evidence: Evidence) -> Iterator[str]:
    """As many requests as the key may have at once; each time that Valkey forgets, as many again are not known of."""
    spent = spent_by_account(evidence)
    for holder in evidence.plan.holders:
        if holder.soft is None:
            continue
        costs = [row["cost_nanousd"] or 0 for row in evidence.rows if evidence.holder(row) == holder]
        most = max(costs, default=0) * SOFT_PARALLEL * (1 + len(evidence.done.forgot))
        over = spent[of_key(evidence.key_ids[holder.name])] - holder.soft
        if over > most:
            yield f"{holder.name} is {over} over a soft budget of {holder.soft}; at most {most} was under way"


def nothing_is_reserved_any_more(evidence: Evidence) -> Iterator[str]:
    for state in evidence.limits:
        if state.held or state.holds:
            yield f"{state.account} still holds {state.held} for {len(state.holds)} requests: {state.holds[:5]}"


def valkey_knows_what_was_spent(evidence: Evidence) -> Iterator[str]:
    """Of whoever has a budget; what others spend is nothing to it. Never less than the ledger; more only by answers
    that ended about when Valkey forgot everything, which may count twice there (docs/keys.md).
    """
    spent, perhaps_twice = spent_by_account(evidence), spent_by_account(evidence, _about_when_valkey_forgot(evidence))
    told = {state.account: state.spent for state in evidence.limits}
    for account in (*_hard_budgets(evidence), *_soft_budgets(evidence)):
        more = told.get(account, 0) - spent[account]
        if not 0 <= more <= perhaps_twice[account]:
            yield f"{account}: Valkey says {told.get(account)}, the ledger {spent[account]} ({more:+d})"


def _about_when_valkey_forgot(evidence: Evidence) -> Sequence[Row]:
    ended = [(row, row["settled_at"]) for row in evidence.rows]
    return [row for row, at in ended if any(abs(at - forgot) < _ABOUT_S for forgot in evidence.done.forgot)]


def _hard_budgets(evidence: Evidence) -> Mapping[str, int]:
    holders = evidence.plan.holders
    own = {of_key(evidence.key_ids[one.name]): one.hard for one in holders if one.hard is not None}
    return own | {of_customer(one.tenant): one.together for one in holders if one.together is not None}


def _soft_budgets(evidence: Evidence) -> Mapping[str, int]:
    holders = evidence.plan.holders
    return {of_key(evidence.key_ids[one.name]): one.soft for one in holders if one.soft is not None}


def spent_by_account(evidence: Evidence, rows: Sequence[Row] | None = None) -> Mapping[str, int]:
    """By ``rows`` only, where they are given."""
    sums: defaultdict[str, int] = defaultdict(int)
    for row in evidence.rows if rows is None else rows:
        if row["key_id"] is None:
            continue
        accounts = [of_key(row["key_id"])]
        accounts += [of_team(row["team"])] if row["team"] is not None else []
        accounts += [of_customer(row["customer"])] if row["customer"] is not None else []
        for account in accounts:
            sums[account] += row["cost_nanousd"] or 0
    return sums
