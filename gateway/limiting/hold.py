"""What is reserved for one request, and what it came to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backends.route import Route
from gateway.limiting.account import EPOCH, Account, hash_key
from gateway.limiting.demand import Demand, most_content
from gateway.limiting.standing import Standing

Arguments = tuple[list[str], list[str | bytes | int]]
"""A script's keys and arguments."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a request came to. ``output`` is its answer's tokens, where they say what to expect of the next; else -1."""

    accounts: tuple[Account, ...]
    request_id: str
    epoch: bytes
    cost: int = 0
    tokens: int = 0
    output: int = -1

    def call(self) -> Arguments:
        keys = [EPOCH]
        args: list[str | bytes | int] = [self.request_id, self.epoch, self.cost, self.tokens, self.output]
        for account in self.accounts:
            keys.append(hash_key(account.name))
            args.append(-1 if account.allowance.tpm is None else account.allowance.tpm)
        return keys, args


class Hold:
    """``reserved`` is what each account has set aside, as Valkey writes it; none where it is not known whether it did.

    ``epoch`` is the one in which it is held. ``standing`` is where its key stood when it was admitted.
    """

    def __init__(
        self,
        accounts: tuple[Account, ...],
        request_id: str,
        demand: Demand,
        end: "Callable[[Hold, Settlement], None]",
        epoch: bytes = b"",
        reserved: Sequence[bytes] = (),
    ) -> None:
        self.accounts = accounts
        self.request_id = request_id
        self.epoch = epoch
        self.reserved = reserved
        self.standing: Standing | None = None
        self._demand = demand
        self._end = end
        self._hard = any(account.has_hard_budget for account in accounts)

    @property
    def reserved_nanousd(self) -> int | None:
        """The most that any account has set aside; None where it is not known whether one did."""
        return max((int(reserved.partition(b":")[0]) for reserved in self.reserved), default=None)

    def settle(self, cost_nanousd: int, input_tokens: int, output_tokens: int, *, answered: bool) -> None:
        """``answered``: the length of the answer tells what to expect of the next."""
        output = output_tokens if answered else -1
        tokens = input_tokens + output_tokens
        self._end(self, Settlement(self.accounts, self.request_id, self.epoch, cost_nanousd, tokens, output))

    def release(self) -> None:
        """It has come to nothing."""
        self._end(self, Settlement(self.accounts, self.request_id, self.epoch))

    def most_content(self, route: Route, others_nanousd: int) -> int | None:
        """How many pieces of this route's answer what is reserved pays for; None: it is not cut.

        ``others_nanousd``: what the request's other answers have cost.
        """
        return most_content(route, self._demand, others_nanousd) if self._hard else None

    def overruns(self, cost_nanousd: int) -> dict[str, int]:
        """Nano-dollars beyond what a `hard` and a `soft` budget had set aside; of several the largest."""
        found: dict[str, int] = {}
        for account, reserved in zip(self.accounts, self.reserved, strict=False):
            beyond = cost_nanousd - int(reserved.partition(b":")[0])
            if beyond > 0 and account.has_budget:
                kind = "hard" if account.has_hard_budget else "soft"
                found[kind] = max(beyond, found.get(kind, 0))
        return found
