"""A stream whose server goes on beyond what was asked of it ends where what is reserved for it does."""

from backends.backend import Deliver, Piece
from gateway.pipeline.account import Spent
from gateway.pipeline.attempt import Started
from gateway.problem import Problem


def cut_off(deliver: Deliver, started: Started, spent: Spent) -> Deliver:
    """``deliver``, up to the last piece that is paid for; it raises ``Problem`` then. Nothing is in its way elsewhere.

    A piece counts as a token, as it does in the ledger where the server does not say how many it were.
    """
    route = started.place.route
    most = spent.most_content(route, spent.others_nanousd) if spent.most_content is not None else None
    if most is None or not started.answer.streamed:
        return deliver
    begun = sum(piece.content for piece in started.first)
    spent.cut_at = max(most, begun)
    left = most - begun

    def take(batch: list[Piece]) -> None:
        nonlocal left
        left -= sum(piece.content for piece in batch)
        if left < 0:
            deliver(_paid(batch, -left))  # none, where the first read brought more than that
            message = f"{route.name} went on beyond max_tokens and what this key's budget had set aside: it was cut."
            raise Problem(502, "upstream_overran", message)
        deliver(batch)

    return take


def _paid(batch: list[Piece], beyond: int) -> list[Piece]:
    paid = list(batch)
    while beyond > 0 and paid:
        beyond -= paid.pop().content
    return paid
