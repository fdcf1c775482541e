"""How money, times and counts are written for people."""

_NANO = 1_000_000_000


def dollars(nanousd: float) -> str:
    """Nano-dollars with the digits that matter: $12.35, $0.0123, $0.00000042."""
    usd = nanousd / _NANO
    if usd == 0 or usd >= 1:
        return f"${usd:,.2f}"
    digits = 2 if usd >= 0.1 else 4 if usd >= 0.001 else 9
    return f"${usd:.{digits}f}"


def duration(seconds: float) -> str:
    """Seconds as 45 s, 2 m 05 s or 3 h 02 m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} m"


def milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"


def share(value: float | None) -> str:
    """A rate in [0, 1] with three decimals."""
    return "-" if value is None else f"{value:.3f}"
