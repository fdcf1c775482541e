"""A latency probe: requests of one length, answers of one length, prompts that no cache has seen."""

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluator.replaying.answer import Answer
from evaluator.replaying.client import Bill, CallFailed, Client, Target
from evaluator.statistics import quantile

_TEXT = """the road car bridge weight of and stone river light under over north south year morning water field
house door table paper letter number market street garden window summer winter music story picture village"""
_WORDS = _TEXT.split()
_FITS = 4
_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class Probe:
    """``seed`` makes the prompts: the same seed sends the same ones, which a server may have cached by then."""

    requests: int
    concurrency: int
    warmup: int
    input_tokens: int
    output_tokens: int
    seed: int


@dataclass(frozen=True, slots=True)
class Timing:
    """One answered request: milliseconds, and the provider's own count of tokens."""

    ttft_ms: float | None
    total_ms: float
    input_tokens: int
    output_tokens: int
    tries: int
    """Attempts that the gateway made: more than one times a failure, too."""
    cost_nanousd: int | None

    @property
    def tokens_per_second(self) -> float | None:
        """After the first token."""
        if self.ttft_ms is None or self.output_tokens < 2 or self.total_ms <= self.ttft_ms:
            return None
        return (self.output_tokens - 1) / (self.total_ms - self.ttft_ms) * 1000


class Prober:
    """Sends a probe's requests. The first ones fit the prompt to its length, and are not measured."""

    def __init__(self, client: Client, target: Target, probe: Probe) -> None:
        self._client = client
        self._target = target
        self._probe = probe
        self._words = probe.input_tokens
        self._exact = True
        self.done = 0
        self.errors: Counter[str] = Counter()

    async def run(self, warmed_up: Callable[[], None]) -> tuple[list[Timing], float]:
        """The timings of answered requests, and the seconds that all of them took; ``warmed_up`` hears of the start.

        Raises Refused, and CallFailed when the requests that fit the prompt's length get no answer.
        """
        await self._fit()
        await self._all(range(_FITS, _FITS + self._probe.warmup))
        self.done, self.errors = 0, Counter()
        warmed_up()
        started = time.perf_counter()
        answers = await self._all(range(1000, 1000 + self._probe.requests))
        seconds = time.perf_counter() - started
        return [await self._timing(answer) for answer in answers], seconds

    @property
    def exact_length(self) -> bool:
        """Whether the server took ``min_tokens`` and ``ignore_eos``, which make every answer equally long."""
        return self._exact

    async def _fit(self) -> None:
        """Finds how many words make the wanted tokens, by the server's own count."""
        for number in range(_FITS):
            try:
                answer = await self._ask(number)
            except CallFailed as failure:
                if failure.retryable or not self._exact:
                    raise
                self._exact = False  # no vLLM: an answer may end before its time
                answer = await self._ask(number)
            counted = answer.usage.input_tokens if answer.usage else 0
            off = self._probe.input_tokens - counted
            if not counted or abs(off) <= _TOLERANCE * self._probe.input_tokens:
                return
            self._words = max(1, self._words + round(off * self._words / counted))

    async def _all(self, numbers: Sequence[int]) -> list[Answer]:
        answers: list[Answer] = []
        left = iter(numbers)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._probe.concurrency):
                group.create_task(self._work(left, answers))
        return answers

    async def _work(self, numbers: Iterator[int], answers: list[Answer]) -> None:
        for number in numbers:
            try:
                answers.append(await self._ask(number))
            except CallFailed as failure:
                self.errors[str(failure)] += 1
            self.done += 1

    async def _ask(self, number: int) -> Answer:
        body: dict[str, object] = {
            "model": self._target.name,
            "messages": [{"role": "user", "content": prompt(self._probe.seed, number, self._words)}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0,
            "max_tokens": self._probe.output_tokens,
        }
        if self._exact:
            body |= {"min_tokens": self._probe.output_tokens, "ignore_eos": True}
        return await self._client.stream(body, {})

    async def _timing(self, answer: Answer) -> Timing:
        bill = await self._bill(answer)
        usage = answer.usage
        return Timing(
            answer.ttft_ms,
            answer.total_ms,
            usage.input_tokens if usage else 0,
            usage.output_tokens if usage else 0,
            bill.attempts if bill else 1,
            bill.cost_nanousd if bill else None,
        )

    async def _bill(self, answer: Answer) -> Bill | None:
        request_id = answer.headers.get("x-weighbridge-request-id")
        return await self._client.bill(request_id) if self._target.is_gateway and request_id else None


def prompt(seed: int, number: int, words: int) -> str:
    """A text of so many words, different from its first word on for every seed and number."""
    draw = random.Random(f"{seed}/{number}")  # noqa: S311
    return f"{draw.getrandbits(40):x} Go on with this text: " + " ".join(draw.choices(_WORDS, k=words))


def figures(timings: Sequence[Timing], errors: Mapping[str, int], seconds: float) -> dict[str, object]:
    """What the probe found, as JSON values. Latencies leave out what the gateway had to try again."""
    clean = [timing for timing in timings if timing.tries == 1]
    first = [timing.ttft_ms for timing in clean if timing.ttft_ms is not None]
    total = [timing.total_ms for timing in clean]
    rates = [rate for timing in clean if (rate := timing.tokens_per_second) is not None]
    costs = [timing.cost_nanousd for timing in timings]
    return {
        "answered": len(timings),
        "errors": dict(errors),
        "retried_by_gateway": len(timings) - len(clean),
        "ttft_p50_ms": quantile(first, 0.5),
        "ttft_p99_ms": quantile(first, 0.99),
        "total_p50_ms": quantile(total, 0.5),
        "total_p99_ms": quantile(total, 0.99),
        "tokens_per_second_each": statistics.median(rates) if rates else None,
        "tokens_per_second_all": sum(timing.output_tokens for timing in timings) / seconds if seconds else None,
        "input_tokens": _spread([timing.input_tokens for timing in timings]),
        "output_tokens": _spread([timing.output_tokens for timing in timings]),
        "cost_nanousd": sum(cost for cost in costs if cost is not None) if None not in costs and costs else None,
        "seconds": round(seconds, 3),
    }


def _spread(counts: Sequence[int]) -> dict[str, float] | None:
    return {"min": min(counts), "median": statistics.median(counts), "max": max(counts)} if counts else None
