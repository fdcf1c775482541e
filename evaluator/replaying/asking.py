"""One sample, asked until it is answered or has failed often enough."""

import asyncio
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from evaluator.replaying.answer import Answer
from evaluator.replaying.client import CallFailed, Client, Unreachable
from evaluator.replaying.plan import Plan
from evaluator.replaying.progress import Progress
from evaluator.store.records import Sample
from evaluator.suites.suite import Task


@dataclass(frozen=True, slots=True)
class Retries:
    """``limit`` further tries after the first, seconds apart.

    Waits double from ``first_s`` to ``longest_s``, each drawn from its upper half so that callers spread. A
    server's Retry-After is obeyed instead, up to ``obeyed_s``.
    """

    limit: int = 4
    first_s: float = 0.5
    longest_s: float = 30
    obeyed_s: float = 300

    def wait_s(self, tries: int, retry_after_s: float | None) -> float:
        if retry_after_s is not None:
            return min(retry_after_s, self.obeyed_s)
        most = min(self.first_s * 2 ** (tries - 1), self.longest_s)
        return random.uniform(most / 2, most)  # noqa: S311


class Asker:
    """Turns a task and the number of a repetition into a Sample, whatever the endpoint does."""

    def __init__(
        self, client: Client, plan: Plan, retries: Retries, progress: Progress, *, traced: bool = False
    ) -> None:
        """``traced``: each sample begins a trace, which its requests belong to."""
        self._client = client
        self._plan = plan
        self._retries = retries
        self._progress = progress
        self._traced = traced

    async def sample(self, task: Task, number: int) -> Sample:
        """Raises Refused when nobody would be answered, and Unreachable when the endpoint is gone altogether:

        then the sample has not failed, it was not asked.
        """
        asked_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        request_ids: list[str] = []
        trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01" if self._traced else ""
        tries = 0
        while True:
            tries += 1
            try:
                answer = await self._call(task, trace)
            except CallFailed as failure:
                request_ids += _request_id(failure.headers)
                if failure.retryable and tries <= self._retries.limit:
                    await self._back_off(tries, failure.retry_after_s)
                    continue
                if not await self._client.is_reachable():
                    raise Unreachable(str(failure)) from failure
                return Sample(
                    task.task_id,
                    number,
                    asked_at,
                    tries,
                    error=str(failure),
                    request_ids=tuple(request_ids),
                    route=failure.headers.get("x-weighbridge-route"),
                    revision=failure.headers.get("x-weighbridge-revision"),
                    language=task.language,
                    trace=trace,
                )
            request_ids += _request_id(answer.headers)
            sample = _answered(task, number, asked_at, tries, tuple(request_ids), answer)
            return replace(sample, trace=trace) if trace else sample

    async def _call(self, task: Task, trace: str) -> Answer:
        extra = {"traceparent": trace} if trace else {}
        plan = self._plan
        with self._progress.doing("calling"):
            return await self._client.ask(plan.target.name, task.language, task.prompt, plan.sampling, extra=extra)

    async def _back_off(self, tries: int, retry_after_s: float | None) -> None:
        with self._progress.doing("backing off"):
            await asyncio.sleep(self._retries.wait_s(tries, retry_after_s))


def _request_id(headers: Mapping[str, str]) -> list[str]:
    return [headers["x-weighbridge-request-id"]] if "x-weighbridge-request-id" in headers else []


def _answered(
    task: Task, number: int, asked_at: str, tries: int, request_ids: tuple[str, ...], answer: Answer
) -> Sample:
    usage = answer.usage
    return Sample(
        task.task_id,
        number,
        asked_at,
        tries,
        answer=answer.text,
        finish_reason=answer.finish_reason,
        route=answer.headers.get("x-weighbridge-route"),
        revision=answer.headers.get("x-weighbridge-revision"),
        cache=answer.headers.get("x-weighbridge-cache"),
        request_ids=request_ids,
        ttft_ms=answer.ttft_ms,
        total_ms=answer.total_ms,
        input_tokens=usage.input_tokens if usage else 0,
        output_tokens=usage.output_tokens if usage else 0,
        language=task.language,
    )
