from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from backends.price import Price, nano
from backends.usage import Usage

counts = st.integers(0, 10**9)
prices = st.integers(0, 10**12)


def test_hand_computed_rows() -> None:
    price = Price(input=nano("3.00"), output=nano("15.00"), cached_input=nano("0.30"))
    assert price.cost(Usage(1_000_000, 1_000_000)) == 18_000_000_000
    assert price.cost(Usage(1000, 10, cached_input_tokens=900)) == 100 * 3000 + 900 * 300 + 10 * 15_000
    assert Price(input=nano("0.0375")).cost(Usage(input_tokens=1)) == 38  # 37.5, rounded half up
    assert Price(input=5).cost(Usage(input_tokens=10, cached_input_tokens=10)) == 0  # rounded once, not per token


def test_cache_writes_by_hand() -> None:
    price = Price(nano("3.00"), nano("15.00"), nano("0.30"), nano("3.75"), nano("6.00"))
    usage = Usage(1110, 42, cached_input_tokens=1000, cache_write_tokens=100, cache_write_1h_tokens=40)
    # 10 fresh at 3,000 nano-dollars, 1000 read at 300, 60 written at 3,750, 40 for an hour at 6,000, 42 out at 15,000
    assert price.cost(usage) == 30_000 + 300_000 + 225_000 + 240_000 + 630_000 == 1_425_000
    assert Price(nano("3.00")).cost(usage) == 1110 * 3000
    assert Price(nano("3.00"), cache_write=nano("3.75")).cost(usage) == 1010 * 3000 + 100 * 3750


def test_a_long_request_costs_the_long_price_as_a_whole() -> None:
    price = Price(nano("1"), nano("5"), long_from=100_000, long=Price(nano("2"), nano("7.5")))
    assert price.cost(Usage(100_000, 10)) == 100_000 * 1000 + 10 * 5000
    assert price.cost(Usage(100_001, 10, cached_input_tokens=100_000)) == 100_001 * 2000 + 10 * 7500


def test_the_articles_token_price_from_its_gpu_price() -> None:
    price = Price.per_gpu_hour(Decimal("1.80"), gpus=4, tokens_per_second=Decimal(1660))
    assert round(price.cost(Usage(500, 500)) / 1e9, 4) == 0.0012


@given(*[prices] * 5, counts, counts, st.data())
def test_cost_is_the_exact_sum_rounded_half_up(
    fresh: int, out: int, read: int, write: int, hour: int, tokens_in: int, tokens_out: int, data: st.DataObject
) -> None:
    hit = data.draw(st.integers(0, tokens_in))
    written = data.draw(st.integers(0, tokens_in - hit))
    for_an_hour = data.draw(st.integers(0, written))
    total = (tokens_in - hit - written) * fresh + hit * read + tokens_out * out
    exact = Fraction(total + (written - for_an_hour) * write + for_an_hour * hour, 10**6)
    cost = Price(fresh, out, read, write, hour).cost(Usage(tokens_in, tokens_out, hit, written, for_an_hour))
    assert exact - Fraction(1, 2) < cost <= exact + Fraction(1, 2)
