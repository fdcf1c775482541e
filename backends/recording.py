"""A recording: prompts and the answers that a model once gave to them.

JSON lines, gzipped or not. A line holds an answer (``completion``, ``solution`` or ``answer``) and either its
``prompt`` or a ``task_id`` that a second file of JSON lines (an evaluation suite, say) gives the ``prompt`` of.
Several answers to one prompt are repetitions, given in turn.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

_ANSWER_KEYS = ("completion", "solution", "answer")


class RecordingError(ValueError):
    """The recording cannot be read; the message names file, line and what is missing."""


class Recording:
    """Finds the answer to a text that contains a recorded prompt verbatim; nothing else identifies it."""

    def __init__(self, path: str, prompts_path: str | None = None) -> None:
        prompts = _prompts(Path(prompts_path)) if prompts_path else {}
        self._answers: dict[str, list[str]] = {}
        for number, line in _lines(Path(path)):
            prompt = line.get("prompt") or prompts.get(line.get("task_id", ""))
            answer = next((line[key] for key in _ANSWER_KEYS if isinstance(line.get(key), str)), None)
            if not isinstance(prompt, str) or answer is None:
                raise RecordingError(f"{path}:{number}: needs an answer ({', '.join(_ANSWER_KEYS)}) and a prompt")
            self._answers.setdefault(prompt, []).append(answer)
        self._by_line: dict[str, list[str]] = {}
        for prompt in self._answers:
            self._by_line.setdefault(_longest_line(prompt), []).append(prompt)
        self._turns = {prompt: count() for prompt in self._answers}

    @property
    def digest(self) -> str:
        """Changes when any answer does."""
        content = json.dumps(self._answers, sort_keys=True).encode()
        return hashlib.sha256(content).hexdigest()[:12]

    def answer_to(self, text: str) -> str | None:
        """The next answer to the longest recorded prompt that ``text`` contains; None when it contains none."""
        lines = set(text.splitlines())
        found = [p for line in lines for p in self._by_line.get(line, ()) if p in text]
        if not found:
            return None
        prompt = max(found, key=len)
        answers = self._answers[prompt]
        return answers[next(self._turns[prompt]) % len(answers)]


def _longest_line(prompt: str) -> str:
    # Looked up by this line instead of tried one by one: 12,000 prompts would cost 10 ms a request.
    return max(prompt.splitlines(), key=len, default="")


def _prompts(path: Path) -> dict[str, str]:
    return {str(line.get("task_id")): str(line.get("prompt", "")) for _, line in _lines(path)}


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                if text.strip():
                    line = json.loads(text)
                    if not isinstance(line, dict):
                        raise RecordingError(f"{path}:{number}: not a JSON object")
                    yield number, line
    except (EOFError, zlib.error) as error:
        raise RecordingError(f"{path}: the gzip file is damaged: {error}") from error
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise RecordingError(f"{path}: not JSON lines: {error}") from error
