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


def test_the_articles_token_price_from_its_gpu_price() -> None:
    price = Price.per_gpu_hour(Decimal("1.80"), gpus=4, tokens_per_second=Decimal(1660))
    assert round(price.cost(Usage(500, 500)) / 1e9, 4) == 0.0012


@given(prices, prices, prices, counts, counts, st.data())
def test_cost_is_the_exact_sum_rounded_half_up(
    input_: int, output: int, cached: int, tokens_in: int, tokens_out: int, data: st.DataObject
) -> None:
    hit = data.draw(st.integers(0, tokens_in))
    exact = Fraction((tokens_in - hit) * input_ + hit * cached + tokens_out * output, 10**6)
    cost = Price(input_, output, cached).cost(Usage(tokens_in, tokens_out, hit))
    assert exact - Fraction(1, 2) < cost <= exact + Fraction(1, 2)
