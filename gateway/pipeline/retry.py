"""How often, and how soon, a request may be tried again."""

import random

MAX_RETRIES = 2
BUDGET_SHARE = 0.2
BUDGET_LEAST = 3
FIRST_BACKOFF_S = 0.1
LONGEST_WAIT_S = 2.0
"""A longer wait is the client's to make: it is told by ``Retry-After``."""


class RetryBudget:
    """Retries under way may be at most a fifth of the active requests, and always three: a fleet in trouble is not
    drowned by its clients' repetitions. The rule and its figures are Envoy's retry budget.
    """

    def __init__(self) -> None:
        self.active = 0
        self._retrying = 0

    def take(self) -> bool:
        if self._retrying >= max(BUDGET_LEAST, BUDGET_SHARE * self.active):
            return False
        self._retrying += 1
        return True

    def give_back(self) -> None:
        self._retrying -= 1


def backoff_s(retry: int) -> float:
    """Before the ``retry``-th repetition (from 1) at the same place: "full jitter", uniform up to a doubling bound."""
    return random.uniform(0, FIRST_BACKOFF_S * 2 ** (retry - 1))  # noqa: S311 (jitter is no secret)
