"""The arithmetic behind the tables in docs/verify.md, and that they are what the recordings give."""

from policies.verify import Found
from tests.bench.verify.__main__ import DOCUMENT
from tests.bench.verify.cascade import Result, alone, cascade, chosen_threshold, knows, surer_than
from tests.bench.verify.recordings import Model, Pair, Recorded, qwen, smollm
from tests.fixtures.recorded_pair import prompts
from tests.fixtures.shared_data import needs_shared_data


def model(name: str, *solved: bool, sure: tuple[float, ...] = (), tokens: int = 10) -> Model:
    logprobs = sure or (None,) * len(solved)
    return Model(
        name,
        {
            str(number): Recorded(f"{name} {number}", ok, ok, tokens, logprob)
            for number, (ok, logprob) in enumerate(zip(solved, logprobs, strict=True))
        },
    )


TASKS = ["0", "1", "2", "3"]
PAIR = Pair(model("a", True, False, False, True, sure=(-0.1, -0.5, -0.9, -0.4)), model("b", True, True, False, False))


def test_each_answer_is_paid_and_the_second_goes_out_where_the_first_fails() -> None:
    assert alone(PAIR.large.answers, TASKS, large=True) == Result(2, 2, 4, 0, 40)
    found = cascade(PAIR, TASKS, knows)
    assert found == Result(3, 3, 2, 40, 20, won=1, lost=0)
    assert found.cost(5) == 140


def test_of_two_that_fail_the_better_goes_out() -> None:
    def judged(_: str, answer: Recorded) -> Found:
        return Found("failed", 0.5 if answer.text.startswith("a") else 0.0)

    assert cascade(PAIR, ["3"], judged).base == 1
    assert cascade(PAIR, ["3"], lambda *_: Found("failed")).base == 0


def test_the_threshold_is_the_lowest_that_solves_as_much() -> None:
    assert chosen_threshold(PAIR, TASKS) == -0.9
    assert chosen_threshold(PAIR, ["0", "1"]) == -0.1
    assert cascade(PAIR, ["0", "1"], surer_than(-0.1)).base == 2


@needs_shared_data
def test_the_page_says_what_is_recorded() -> None:
    tasks = sorted(prompts(), key=lambda task: int(task.rpartition("/")[2]))
    page = DOCUMENT.read_text()
    threshold = chosen_threshold(smollm(), tasks[::2])
    found = cascade(smollm(), tasks[1::2], surer_than(threshold))
    row = (
        f"| `verify: confidence`, at least {threshold:.2f} | {found.base} | {found.plus} | {found.won} / {found.lost} |"
    )
    assert row in page
    best = cascade(qwen(), tasks, knows)
    assert (
        f"| a verification that is never wrong | {best.base} | {best.plus} | {best.won} / 0 | {best.asked_large} |"
        in page
    )
