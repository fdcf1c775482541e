import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pipeline.cache_control import CacheControl


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, CacheControl()),
        ("", CacheControl()),
        ("no-store", CacheControl(read=False, write=False)),
        ("No-Cache", CacheControl(read=False)),
        ("max-age=60", CacheControl(max_age_s=60)),
        ("no-transform, max-age=0", CacheControl(max_age_s=0)),
        ("max-age=soon", CacheControl()),
    ],
)
def test_directives(header: str | None, expected: CacheControl) -> None:
    assert CacheControl.parse(header) == expected


@given(st.text())
def test_any_header_parses(header: str) -> None:
    CacheControl.parse(header)
