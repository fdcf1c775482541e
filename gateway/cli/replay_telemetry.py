"""Whether a replay tells a collector of what it judges: as OpenTelemetry's environment variables say."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import click

from evaluator.replaying.plan import Plan
from evaluator.store.records import Outcome, Sample
from gateway.telemetry.otlp_settings import otlp_settings


@asynccontextmanager
async def evaluation_events(
    plan: Plan, run_id: str, env: Mapping[str, str]
) -> AsyncIterator[Callable[[Sample, Outcome], None] | None]:
    """What to tell of each judged sample; None where no endpoint for events is set."""
    settings = otlp_settings(None, env, "LOGS")
    if settings is None:
        yield None
        return
    from gateway.cli.replay_events import EvaluationEvents  # noqa: PLC0415 (OpenTelemetry's SDK takes a second)

    events = EvaluationEvents(plan, run_id, settings, otlp_settings(None, env))
    async with events.running():
        yield events.take
    if events.lost:
        told = f"{events.lost} evaluation events did not reach the collector at {settings.shown}: {events.trouble}"
        click.echo(told, err=True)
