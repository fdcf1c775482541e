"""Prices and the arithmetic of cost. Money is integer nano-dollars (1 dollar = 1,000,000,000)."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from backends.usage import Usage

NANO = 1_000_000_000
_MILLION = 1_000_000


def nano(usd: float | str | Decimal) -> int:
    """Dollars as nano-dollars, rounded half up; exact for anything that can be written with nine decimals."""
    return int((Decimal(str(usd)) * NANO).to_integral_value(ROUND_HALF_UP))


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-dollars per million tokens, by kind of token."""

    input: int = 0
    output: int = 0
    cached_input: int | None = None
    """None: cached input tokens cost what fresh ones cost."""
    cache_write: int | None = None
    """Input tokens that the provider writes to its cache; None: they cost what fresh ones cost."""
    cache_write_1h: int | None = None
    """Those that it keeps for an hour; None: they cost what the others cost."""
    long_from: int | None = None
    """A request with more input tokens than this costs ``long``, as a whole."""
    long: "Price | None" = None
    gpus: int = 0
    """That each replica has, where tokens are a share of what those cost: they cost it idle, too."""
    gpu_hour: int = 0
    """What one of them costs an hour, in nano-dollars."""

    @classmethod
    def per_gpu_hour(cls, gpu_hour_usd: Decimal, gpus: int, tokens_per_second: Decimal) -> "Price":
        """A token's share of the GPUs' hourly bill at a stated throughput (tokens in plus tokens out a second)."""
        per_million = gpu_hour_usd * gpus * _MILLION / (tokens_per_second * 3600)
        return cls(input=nano(per_million), output=nano(per_million), gpus=gpus, gpu_hour=nano(gpu_hour_usd))

    def cost(self, usage: Usage) -> int:
        """What ``usage`` costs, in nano-dollars, rounded half up once, over the whole."""
        if self.long is not None and self.long_from is not None and usage.input_tokens > self.long_from:
            return self.long.cost(usage)
        cached = self.input if self.cached_input is None else self.cached_input
        written = self.input if self.cache_write is None else self.cache_write
        written_1h = written if self.cache_write_1h is None else self.cache_write_1h
        total = (
            (usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens) * self.input
            + usage.cached_input_tokens * cached
            + (usage.cache_write_tokens - usage.cache_write_1h_tokens) * written
            + usage.cache_write_1h_tokens * written_1h
            + usage.output_tokens * self.output
        )
        return (2 * total + _MILLION) // (2 * _MILLION)
