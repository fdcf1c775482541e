"""What mirrored requests may cost a day, counted by several workers in one file."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.routing.shadow_budget import DayBudget

DAY_S = 86_400.0


def test_it_takes_no_more_than_there_is_and_gives_back_what_was_not_used(tmp_path: Path) -> None:
    budget = DayBudget(tmp_path / "new", now=lambda: 0.0)
    assert budget.take("p", 60, 100) == "1970-01-01"
    assert budget.take("p", 60, 100) is None
    budget.settle("p", "1970-01-01", -50)
    assert budget.spent("p") == 10
    assert budget.take("p", 90, 100) and budget.take("p", 1, 100) is None
    assert budget.take("q", 1, 100), "each policy has its own"


def test_it_outlives_a_restart_and_begins_anew_each_day(tmp_path: Path) -> None:
    now = 0.0
    budget = DayBudget(tmp_path, now=lambda: now)
    assert budget.take("a/b", 100, 100) and budget.take("a/c", 1, 100)
    assert DayBudget(tmp_path, now=lambda: now).take("a/b", 1, 100) is None
    now = DAY_S
    assert budget.take("a/b", 70, 100) == "1970-01-02"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a%2Fb@1970-01-02", "a%2Fc@1970-01-01"]
    budget.settle("a/b", "1970-01-02", -200)
    assert budget.spent("a/b") == 0
    assert budget.spent("unknown") == 0


def test_an_end_after_midnight_is_counted_where_it_was_reserved(tmp_path: Path) -> None:
    now = DAY_S - 1
    budget = DayBudget(tmp_path, now=lambda: now)
    day = budget.take("p", 100, 100)
    assert day is not None
    now = DAY_S
    budget.settle("p", day, -100)
    assert budget.spent("p") == 0 and budget.take("p", 100, 100)


def test_a_damaged_file_counts_as_spent(tmp_path: Path) -> None:
    budget = DayBudget(tmp_path, now=lambda: 0.0)
    assert budget.take("p", 0, 0)
    (tmp_path / "p@1970-01-01").write_bytes(b"-17 apples")
    assert budget.take("p", 1, 10**18) is None


def test_all_workers_share_one_sum(tmp_path: Path) -> None:
    workers = [DayBudget(tmp_path, now=lambda: 0.0) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda number: workers[number % 4].take("p", 1, 50), range(100)))
    assert sum(day is not None for day in taken) == 50
    assert workers[0].spent("p") == 50
