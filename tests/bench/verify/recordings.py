"""Recorded answers of pairs of real models to HumanEval, and what is known of each answer."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.fixtures.recorded_pair import LARGE, SMALL, answers, prompts, published

_OWN = Path(__file__).with_name("smollm2-135m-humaneval.jsonl.gz")
_CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Recorded:
    text: str
    base: bool
    """Whether it passes HumanEval's tests."""
    plus: bool
    """And HumanEval+'s."""
    tokens: int
    """In and out; four characters count as one, as for a recorded route."""
    mean_logprob: float | None = None


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    answers: Mapping[str, Recorded]


@dataclass(frozen=True, slots=True)
class Pair:
    small: Model
    large: Model


def qwen() -> Pair:
    return Pair(_published(SMALL), _published(LARGE))


def smollm() -> Pair:
    """SmolLM2-135M-Instruct as vLLM served it here, greedily: the only recording that holds token probabilities."""
    with gzip.open(_OWN, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    found = {
        row["task_id"]: Recorded(
            row["completion"], row["base"], row["plus"], _tokens(row["task_id"], row["completion"]), row["mean_logprob"]
        )
        for row in rows
    }
    return Pair(Model("smollm2-135m", found), _published(LARGE))


def _published(name: str) -> Model:
    known = published(name)
    texts = answers(name).items()
    return Model(name, {t: Recorded(text, known[t].base, known[t].plus, _tokens(t, text)) for t, text in texts})


def _tokens(task: str, text: str) -> int:
    return -(-len(prompts()[task]) // _CHARS_PER_TOKEN) + -(-len(text) // _CHARS_PER_TOKEN)
