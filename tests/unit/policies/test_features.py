"""What is told of a prompt: bounded, finite, the same every time, and nothing that could be read back."""

from math import isfinite
from string import ascii_lowercase

from hypothesis import given
from hypothesis import strategies as st

from policies.features import BUCKETS, MOST_CHARACTERS, MOST_WORDS, NUMBERS, VERSION, features
from policies.languages import LANGUAGES

texts = st.text(max_size=6000)
spoken = st.none() | st.sampled_from(sorted(LANGUAGES)) | st.text(max_size=5)


@given(texts, spoken)
def test_features_of_anything_are_finite_and_in_range(text: str, language: str | None) -> None:
    found = features(text, language)
    assert len(found.numbers) == len(NUMBERS)
    assert all(map(isfinite, found.numbers))
    assert list(found.buckets) == sorted(set(found.buckets))
    assert all(0 <= bucket < BUCKETS for bucket in found.buckets)
    assert len(found.buckets) <= 2 * MOST_WORDS
    assert features(text, language) == found


@given(texts, st.text(max_size=200))
def test_only_the_end_of_a_long_prompt_is_looked_at(text: str, before: str) -> None:
    kept = text[-MOST_CHARACTERS:].rjust(MOST_CHARACTERS, "x")
    assert features(before + kept, None) == features(kept, None)


def test_only_the_last_words_are_counted() -> None:
    words = [first + second for first in ascii_lowercase for second in ascii_lowercase]
    assert features(" ".join(words), None).buckets == features(" ".join(words[-MOST_WORDS:]), None).buckets
    assert features(" ".join(words), None).buckets != features(" ".join(words[-MOST_WORDS - 1 :: 2]), None).buckets


def test_words_count_once_and_in_any_case_and_pairs_by_their_order() -> None:
    assert features("Sort the list", None).buckets == features("sort THE List", None).buckets
    assert features("sort sort", None).buckets != features("sort", None).buckets  # "sort sort" is a pair
    assert features("sort sort sort", None).buckets == features("sort sort", None).buckets
    assert features("list of sets", None).buckets != features("sets of list", None).buckets


def test_numbers_tell_what_they_are_named_after() -> None:
    def number(name: str, text: str, language: str | None = None) -> float:
        return features(text, language).numbers[NUMBERS.index(name)]

    assert number("examples", ">>> f(1)\n2\n>>> f(2)\n3") > number("examples", ">>> f(1)\n2") > 0
    assert number("conditions", "unless it is not there") > number("conditions", "it is there") == 0
    assert number("numbers", "between 3 and 17") > number("numbers", "between three and 17")
    assert number("lines", "a\nb\nc") > number("lines", "a b c") == 0
    assert number("brackets", "f([1], {2: (3,)})") > 0 == number("brackets", "f")
    assert number("rust", "x", "rust") == 1.0
    assert number("rust", "x", "python") == number("rust", "x") == number("python", "x", "klingon") == 0.0


def test_whoever_changes_features_raises_their_version() -> None:
    """Else a model that was fitted on other features would be loaded, and pick by chance."""
    text = 'def f(x: int) -> int:\n    """Return x, unless 3 is not in it."""\n    >>> f(1)\n    2\n'
    found = features(text, "python")
    assert (VERSION, round(sum(found.numbers), 6), sum(found.buckets)) == (1, 22.284379, 9745)
