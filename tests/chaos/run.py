"""One run: the plan is played, everybody calms down, what is left is audited."""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import quiet
from tests.chaos.audit.evidence import Evidence, read_served
from tests.chaos.audit.invariants import audit
from tests.chaos.clients import Answer, Crowd
from tests.chaos.deeds import Done, Operator
from tests.chaos.plan import CANARY, Plan, plan
from tests.chaos.pulse import Pulse
from tests.chaos.stage import ADMIN_KEY, OWN_KEY, SECRET, UPSTREAM_KEY, Stage, settle_down, stage
from tests.chaos.store import Store

log = logging.getLogger("chaos")


@dataclass(frozen=True, slots=True)
class Outcome:
    """``contradictions`` by invariant; all are there, those that hold have none."""

    evidence: Evidence
    contradictions: Mapping[str, list[str]]
    calm: quiet.Calm
    pulse: Pulse
    seconds: float

    @property
    def holds(self) -> bool:
        return not any(self.contradictions.values())

    @property
    def outcomes(self) -> Counter[str]:
        """What became of the requests: the cache's word, or the trouble's."""
        return Counter(_word(answer) for answer in self.evidence.answers)


def _word(answer: Answer) -> str:
    if answer.end != "complete":
        return answer.end
    if answer.status != 200:
        return f"{answer.status} {_code(answer.body)}".strip()
    return answer.headers.get("x-weighbridge-cache", "?")


def _code(body: bytes) -> str:
    """In OpenAI's shape; Anthropic's has none, and what is an upstream's own need not be JSON."""
    try:
        return str(json.loads(body)["error"].get("code") or "")
    except (ValueError, LookupError, AttributeError):
        return ""


async def play(seed: int, requests: int, folder: Path, store: Store) -> Outcome:
    """Raises ``TimeoutError`` where what should come to an end does not."""
    began = time.monotonic()
    played = plan(seed, requests)
    async with stage(played, folder, store) as services:
        before = max(map(quiet.descriptors, services.gateways))
        log.info("seed %d: %d requests, %d deeds", seed, requests, len(played.acts))
        pulse = Pulse()
        feeling = asyncio.create_task(pulse.watch([gateway.port for gateway in services.gateways]))
        answers, done = await _perform(services, played)
        feeling.cancel()
        await settle_down(services)
        log.info("the last request has ended")
        calm = await quiet.calm(services, played, before)
        evidence = await _gather(services, played, answers, done)
    return Outcome(evidence, audit(evidence), calm, pulse, time.monotonic() - began)


async def _perform(services: Stage, played: Plan) -> tuple[list[Answer], Done]:
    operator = Operator(services, played)
    crowd = Crowd(tuple(gateway.port for gateway in services.gateways), services.keys, operator.reached)
    async with asyncio.TaskGroup() as group:
        group.create_task(operator.work())
        answers = await crowd.ask_all(played.asks)
        operator.finish()
    return answers, operator.done


async def _gather(services: Stage, played: Plan, answers: list[Answer], done: Done) -> Evidence:
    """The ledger last: what is in the spools is drained when the gateways stop."""
    entries = await asyncio.to_thread(quiet.cache_entries, services.valkey.url)
    pages = {f"metrics of gateway {gateway.name}": await quiet.metrics(gateway) for gateway in services.gateways}
    for gateway in services.gateways:
        done.exit_codes.append(await gateway.stop())
    limits = await asyncio.to_thread(quiet.limit_states, services.valkey.url)
    rows = services.store.rows([gateway.state for gateway in services.gateways])
    errors = {f"error to {answer.ask.id}": answer.body.decode() for answer in answers if answer.status >= 400}
    return Evidence(
        plan=played,
        answers=answers,
        rows=rows,
        served=read_served(upstream.log for upstream in services.upstreams),
        done=done,
        servers={upstream.url: upstream.name for upstream in services.upstreams},
        key_ids=services.key_ids,
        limits=limits,
        entries=entries,
        texts=pages | quiet.texts(services) | errors | {"the ledger": repr(rows)},
        secrets=(CANARY, OWN_KEY, ADMIN_KEY, SECRET, UPSTREAM_KEY, *services.keys.values()),
    )
