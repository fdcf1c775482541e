"""What may go wrong with a store, whichever it is. Raised in place of the driver's own errors."""


class StoreError(Exception):
    """It did not take, or did not give, what was asked of it; nothing of the transaction is in it."""


class StoreUnavailable(StoreError):
    """It is away, locked, full, or not in a form that this version knows: to try again later may help."""


class StoreRefused(StoreError):
    """It cannot hold this value, now or later."""
