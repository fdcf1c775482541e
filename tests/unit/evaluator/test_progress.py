import asyncio
import io

import pytest

from evaluator.figures import dollars, duration, milliseconds, share
from evaluator.replaying.progress import Progress, shown
from evaluator.store.records import Outcome, Sample
from evaluator.verdict import Status


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _settle(progress: Progress, count: int, status: Status = Status.PASS, cost: int | None = 1_000_000) -> None:
    for _ in range(count):
        number = progress.settled
        sample = Sample(f"t/{number}", 0, "2026-03-01T00:00:00+00:00", 1, answer="x")
        progress.tally.add(sample, Outcome(f"t/{number}", 0, status, cost_nanousd=cost))


def test_nothing_is_claimed_before_anything_is_known() -> None:
    assert Progress("builtin on llama", 48).line() == (
        "builtin on llama: 0/48 samples | pass@1 - | $0.00 | ETA - | calling 0, backing off 0, judging 0"
    )


def test_the_line_says_how_far_how_good_how_dear_how_long_and_what_is_going_on() -> None:
    clock = Clock()
    progress = Progress("builtin on llama", 48, clock=clock)
    _settle(progress, 6)
    _settle(progress, 6, Status.FAIL)
    clock.now = 30
    with progress.doing("calling"), progress.doing("calling"), progress.doing("backing off"):
        assert progress.line() == (
            "builtin on llama: 12/48 samples | pass@1 0.500 | $0.0120 | ETA 1 m 30 s | "
            "calling 2, backing off 1, judging 0"
        )
    assert progress.line().endswith("calling 0, backing off 0, judging 0")


def test_the_rate_is_of_this_command_and_the_rest_is_of_the_whole_run() -> None:
    clock = Clock()
    progress = Progress("", 100, clock=clock)
    _settle(progress, 80)
    clock.now = 1000
    progress.resume()
    assert progress.eta_s() is None
    clock.now = 1010
    _settle(progress, 5)
    assert progress.eta_s() == pytest.approx(30)


def test_unknown_costs_are_not_zero() -> None:
    progress = Progress("", 2)
    _settle(progress, 1, cost=None)
    assert "cost unknown" in progress.line()


async def test_without_a_terminal_plain_lines_come_now_and_then() -> None:
    stream = io.StringIO()
    progress = Progress("builtin", 2)
    async with shown(progress, stream, every_s=0.01):
        while not stream.getvalue():  # noqa: ASYNC110  # a stream has no event
            await asyncio.sleep(0.01)
        _settle(progress, 2)
        while "2/2" not in stream.getvalue():  # noqa: ASYNC110  # a stream has no event
            await asyncio.sleep(0.01)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("builtin: 0/2 samples")
    assert not any("\x1b" in line for line in lines)


async def test_on_a_terminal_one_line_is_redrawn_and_taken_away() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    async with shown(Progress("builtin", 2), stream):
        await asyncio.sleep(0)
    assert "builtin: 0/2 samples" in stream.getvalue()
    assert "\x1b[" in stream.getvalue()


@pytest.mark.parametrize(
    ("nanousd", "text"),
    [
        (0, "$0.00"),
        (420, "$0.000000420"),
        (12_300_000, "$0.0123"),
        (870_000_000, "$0.87"),
        (1_234_500_000_000, "$1,234.50"),
    ],
)
def test_money_keeps_the_digits_that_matter(nanousd: int, text: str) -> None:
    assert dollars(nanousd) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.4, "59 s"), (59.6, "1 m 00 s"), (125, "2 m 05 s"), (3_725, "1 h 02 m")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_what_is_not_known_is_a_dash() -> None:
    assert (milliseconds(None), share(None)) == ("-", "-")
    assert (milliseconds(1234.6), share(0.36585)) == ("1,235 ms", "0.366")
