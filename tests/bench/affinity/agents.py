"""Agents at work: conversations that grow by the model's answer and a tool's output, turn after turn."""

import argparse
import asyncio
import inspect
import json
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx

AGENTS = 12
TURNS = 6
_ANSWER_TOKENS = 12
_THINK_S = (1.0, 6.0)
_SYSTEM_CHARACTERS, _PROJECT_CHARACTERS, _OUTPUT_CHARACTERS = 1500, 1500, 1200
_SOURCE = inspect.getsource(argparse)


@dataclass(slots=True)
class Run:
    """Seconds to the first content of every request, and what failed."""

    first_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


async def work(base_url: str, model: str, *, sessions: bool, agents: int = AGENTS, turns: int = TURNS) -> Run:
    """All agents at the same time, each waiting for its answers and for its tools. The same in every run."""
    run = Run()
    async with httpx.AsyncClient(base_url=base_url, timeout=300, trust_env=False) as http:
        await asyncio.gather(*(_agent(http, model, n, turns, run, sessions=sessions) for n in range(agents)))
    return run


async def _agent(http: httpx.AsyncClient, model: str, number: int, turns: int, run: Run, *, sessions: bool) -> None:
    dice = random.Random(number)
    headers = {"session-id": f"agent-{number}"} if sessions else {}
    messages = [
        {"role": "system", "content": "You are an agent. Work in steps.\n" + _SOURCE[:_SYSTEM_CHARACTERS]},
        {"role": "user", "content": f"Project {number}:\n" + _excerpt(dice, _PROJECT_CHARACTERS)},
    ]
    for _ in range(turns):
        await asyncio.sleep(dice.uniform(*_THINK_S))
        body = {"model": model, "messages": messages, "max_tokens": _ANSWER_TOKENS, "temperature": 0, "stream": True}
        try:
            answer = await _ask(http, body, headers, run)
        except httpx.HTTPError as error:
            run.failures.append(repr(error))
            return
        messages += [
            {"role": "assistant", "content": answer},
            {"role": "user", "content": "Output of the tool:\n" + _excerpt(dice, _OUTPUT_CHARACTERS)},
        ]


async def _ask(http: httpx.AsyncClient, body: dict[str, Any], headers: dict[str, str], run: Run) -> str:
    began = time.perf_counter()
    words: list[str] = []
    async with http.stream("POST", "/v1/chat/completions", json=body, headers=headers) as response:
        response.raise_for_status()
        async for word in _words(response):
            if not words:
                run.first_s.append(time.perf_counter() - began)
            words.append(word)
    return "".join(words)


async def _words(response: httpx.Response) -> AsyncIterator[str]:
    async for line in response.aiter_lines():
        if line.startswith("data: {"):
            for choice in json.loads(line.removeprefix("data: "))["choices"]:
                if word := choice["delta"].get("content"):
                    yield word


def _excerpt(dice: random.Random, length: int) -> str:
    start = dice.randrange(len(_SOURCE) - length)
    return _SOURCE[start : start + length]
