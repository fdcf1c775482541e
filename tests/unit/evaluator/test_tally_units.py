"""What a scorecard tells of its units."""

from evaluator.scorecards import Tally
from evaluator.store.records import Outcome, Sample
from evaluator.verdict import Status
from policies.scorecard import Unit


def _tally(*tasks: tuple[str, str, str]) -> Tally:
    """Each a task id, its language, and a letter a sample: p passes, f fails, n has no answer."""
    statuses = {"p": Status.PASS, "f": Status.FAIL, "n": Status.NO_ANSWER}
    tally = Tally()
    for task_id, language, samples in tasks:
        for number, letter in enumerate(samples):
            sample = Sample(task_id, number, "2026-03-01", 1, answer="x", language=language)
            tally.add(sample, Outcome(task_id, number, statuses[letter]))
    return tally


def test_tasks_of_one_language_are_units_by_their_share() -> None:
    tally = _tally(
        ("t/1", "go", "ppf"), ("t/2", "go", "pfp"), ("t/3", "go", "fff"), ("t/4", "go", "pn"), ("t/5", "go", "n")
    )
    assert tally.units() == (Unit(0.0, 1, 1), Unit(2 / 3, 1, 2), Unit(1.0, 1, 1))
    assert sum(unit.tasks * unit.count for unit in tally.units()) == len(tally.tasks) == 4


def test_thirds_that_add_up_to_the_same_are_one_kind() -> None:
    tally = _tally(*((f"{lang}/{n}", lang, "pff") for lang in ("go", "rust", "java") for n in range(2)))
    assert tally.units() == (Unit(1.0, 3, 2),)
    assert tally.correctness.method == "betting"


def test_one_sample_a_task_in_one_language_is_shown_with_wilson() -> None:
    assert _tally(("t/1", "go", "p"), ("t/2", "go", "f")).correctness.method == "wilson"
    assert _tally(("go/1", "go", "p"), ("rust/1", "rust", "f")).correctness.method == "betting"
    assert _tally().correctness.interval(0.95) is None
