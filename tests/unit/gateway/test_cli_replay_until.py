import pytest
from click.testing import CliRunner

from gateway.cli import replay
from gateway.cli.failure import ConfigFailure


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--until", "pass@1 >= 0.8"), "write 'pass_at_1 >= 0.80'"),
        (("--until", "pass_at_1 >= 80"), "write 'pass_at_1 >= 0.80'"),
        (("--until", "pass_at_1 >= 0.8", "--limit", "5"), "exclude each other"),
    ],
)
def test_a_condition_that_cannot_be_met_is_refused_before_anything_is_asked(
    arguments: tuple[str, ...], told: str
) -> None:
    error = CliRunner().invoke(replay.command, ["builtin", "--route", "a", *arguments]).exception
    assert isinstance(error, ConfigFailure) and told in str(error)
