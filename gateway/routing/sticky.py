"""Which place a session has where policies go by it: the number that it is dealt by, and the route that it is on."""

from collections import OrderedDict
from hashlib import blake2b

from backends.backend import Call
from backends.tenant import Tenant
from gateway.pipeline.session import opening_of

MOST_SESSIONS = 10_000


def place_of(call: Call) -> bytes:
    """The same for all requests of a session, or else of a conversation; a request that is neither has its own."""
    opening = opening_of(call)
    return opening if opening is not None else blake2b(b"\0".join(call.fields.values()), digest_size=12).digest()


def place_of_session(session: str) -> bytes:
    """Of a session that its client names so."""
    return place_of(Call("chat", {}, stream=False, session=session))


def of_tenant(place: bytes, tenant: Tenant | None) -> bytes:
    """Where it is remembered: a tenant that names another's session does not move it, nor learn where it is."""
    return place if tenant is None else blake2b(place, key=tenant.key, digest_size=12).digest()


def draw_of(place: bytes) -> int:
    """64 bits."""
    return int.from_bytes(place[:8])


class Sessions:
    """The route that answered each session last, of at most ``most`` sessions; those used longest ago are forgotten.

    One a worker: a session whose requests come to several workers may be on another route in each, until they agree.
    """

    def __init__(self, most: int = MOST_SESSIONS) -> None:
        self._most = most
        self._routes: OrderedDict[tuple[str, bytes], str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._routes)

    def route(self, policy: str, place: bytes) -> str | None:
        return self._routes.get((policy, place))

    def answered(self, policy: str, place: bytes, route: str) -> None:
        self._routes[policy, place] = route
        self._routes.move_to_end((policy, place))
        if len(self._routes) > self._most:
            self._routes.popitem(last=False)
