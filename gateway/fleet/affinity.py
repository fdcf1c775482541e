"""Keeps a conversation on the replica that has its prompt in the KV cache. Pure: no I/O, no clock.

What was placed is remembered; what was not goes to its home by rendezvous hashing, which every worker computes alike.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from gateway.pipeline.session import Conversation

MOST_MARKS = 20_000
_AHEAD = 1
_SHARED_BY = 2

Outcome = Literal["session", "prefix", "new", "moved", "none"]
"""Of a placement: where its session was, where its prompt's beginning was, nothing was known, not where it was warm, or
there was nothing to go by."""


@dataclass(slots=True)
class _Node:
    """A mark that was placed, and how many different marks came right after it."""

    replica: str
    followers: int = 0


class Affinity:
    """One route's memory, of at most ``most`` marks; the ones used longest ago are forgotten first."""

    def __init__(self, most: int = MOST_MARKS) -> None:
        self._most = most
        self._nodes: OrderedDict[bytes, _Node] = OrderedDict()
        self._begun: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def choose(self, conversation: Conversation, replicas: Mapping[str, bool]) -> str:
        """One of ``replicas``, each with whether it is over its load bound; that does not count where all are."""
        free = [url for url, over in replicas.items() if not over] or list(replicas)
        warm = self._warm(conversation)
        if warm in free:
            return warm
        least = min(map(self._ahead, free))
        fair = [url for url in free if self._ahead(url) <= least + _AHEAD]
        return max(fair, key=lambda url: blake2b(url.encode(), key=conversation.opening, digest_size=8).digest())

    def placed(self, conversation: Conversation, replica: str) -> Outcome:
        """Must be called for whatever ``replica`` gets, chosen here or not."""
        warm = self._warm(conversation)
        self._remember(conversation, replica)
        if warm == replica:
            return "session" if conversation.kind == "session" else "prefix"
        self._begun[replica] = self._ahead(replica) + 1
        return "new" if warm is None else "moved"

    def _warm(self, conversation: Conversation) -> str | None:
        """Where the longest known part of it is, unless that part is only what many conversations begin with."""
        marks = conversation.marks
        for last in range(len(marks) - 1, -1, -1):
            if (node := self._nodes.get(marks[last])) is not None:
                break
        else:
            return None
        match conversation.kind:
            case "session":
                shared = False  # a session is one agent's
            case "text":
                shared = (last + 1) * 2 < len(marks)  # edited anywhere: what follows a block says nothing
            case "turns":
                shared = last < len(marks) - 1 and node.followers >= _SHARED_BY
        return None if shared else node.replica

    def _remember(self, conversation: Conversation, replica: str) -> None:
        before: _Node | None = None
        for mark in conversation.marks:
            node = self._nodes.get(mark)
            if node is None:
                node = self._nodes[mark] = _Node(replica)
                if before is not None:
                    before.followers += 1
            node.replica = replica
            before = node
        for mark in reversed(conversation.marks):  # the beginning is forgotten last
            self._nodes.move_to_end(mark)
        while len(self._nodes) > self._most:
            self._nodes.popitem(last=False)

    def _ahead(self, replica: str) -> int:
        """Conversations begun there; whoever was away is not given all that it has missed."""
        most = max(self._begun.values(), default=0)
        return max(self._begun.get(replica, 0), most - _AHEAD - 1)
