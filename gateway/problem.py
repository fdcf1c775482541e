"""What went wrong with a request, before any wire gives it a shape."""

from dataclasses import dataclass

from gateway.limiting.standing import Standing


@dataclass(frozen=True, slots=True)
class Passthrough:
    """An upstream's own error answer, for the client as it came."""

    body: bytes
    content_type: str


class Problem(Exception):
    """Ends a request. ``message`` says what to do; it never holds prompt text, keys or credentials.

    ``code`` is a stable word for programs; ``retry_after`` is seconds.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after: float | None = None,
        passthrough: Passthrough | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.retry_after = retry_after
        self.passthrough = passthrough
        self.route: str | None = None
        """The last one that was tried."""
        self.standing: Standing | None = None
        """Where a limited key stands."""
        self.worth_retrying = True
        """False: not soon."""


class ClientLeft(Exception):
    """Nobody is there to answer any more."""
