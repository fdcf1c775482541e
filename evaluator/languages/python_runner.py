"""Runs inside the sandbox: executes a solution, calls its function, streams what it returns. Standard library only.

Nothing here decides a verdict: the host alone knows the expected values, so code that takes this process over can only
lie about what it returned. Read from descriptor 0, as marshal (the host is trusted): ``(source, entry_point, timed,
parts)``; a part is a marshalled list of ``(arguments, flush_first)``, the arguments marshalled once more so that every
call gets a fresh copy. Written to descriptor 1: records of a kind byte, a little-endian 32-bit length and a payload
(see ``evaluator.judging.records``); values are encoded as ``evaluator.judging.serialise`` says.
"""

from __future__ import annotations

import _thread
import marshal
import os
import resource
import sys
import time

TYPE_CHECKING = False  # importing typing would cost more than starting Python
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

READY, COMPILE_ERROR, STARTED, SECONDS, VALUE, ERROR, END = b"RCSTVEZ"

FLUSH_SECONDS = 0.05
FLUSH_BYTES = 1 << 16
MAX_DEPTH = 100
MAX_ITEMS, CONTAINER_ITEMS = 20_000_000, 20
"""Deeper or larger results are opaque, which also ends those that contain themselves. A container counts for 20."""

CHUNK = 4096
"""Items of a long list or tuple that are encoded at a time where all of them would be too many."""

PRELOADED = ("typing", "re", "math", "collections", "itertools", "functools", "heapq", "string")
"""Modules that solutions often import: loaded once before the parts fork, where the source names them."""

SCALARS = frozenset({type(None), bool, int, float, complex, str, bytes})


class Writer:
    """Buffers records: one write a call would cost more than most calls."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.buffer = bytearray()
        self.flushed = time.monotonic()
        self.lock = _thread.allocate_lock()

    def record(self, kind: int, payload: bytes = b"") -> None:
        with self.lock:
            self.buffer.append(kind)
            self.buffer += len(payload).to_bytes(4, "little")
            self.buffer += payload
            due = len(self.buffer) > FLUSH_BYTES or time.monotonic() - self.flushed > FLUSH_SECONDS
        if due:
            self.flush()

    def flush(self) -> None:
        with self.lock:
            self.write()

    def keep_flushing(self) -> None:
        """So that a wrong result is seen although a later call never ends."""
        while True:
            time.sleep(FLUSH_SECONDS)
            self.flush()

    def write(self) -> None:
        view = memoryview(self.buffer)
        while view:
            view = view[os.write(self.fd, view) :]
        self.buffer = bytearray()
        self.flushed = time.monotonic()


class TooLarge(Exception):
    """A result beyond MAX_DEPTH or MAX_ITEMS."""


def encode(value: Any) -> bytes:
    """Bytes of a result: marshal version 2 of plain builtins; anything else becomes ``(..., kind, *fields)`` first."""
    try:
        return marshal.dumps(described(value), 2)
    except TooLarge:
        return marshal.dumps(describe_large(value), 2)


def described(value: Any) -> Any:
    if type(value) in SCALARS or is_plain(value, MAX_DEPTH, [MAX_ITEMS]):
        return value
    return describe(value, MAX_DEPTH, [MAX_ITEMS])


def describe_large(value: Any) -> Any:
    """A list or tuple that is too long to send: its digest, piece by piece, so that an equal one can be known by it."""
    kind = type(value)
    if kind is not list and kind is not tuple:
        return (..., "opaque", kind.__name__)
    from _blake2 import blake2b  # noqa: PLC0415 (few results need it, and every start would pay)

    digest = blake2b(digest_size=32)
    try:
        for start in range(0, len(value), CHUNK):
            digest.update(marshal.dumps(described(value[start : start + CHUNK]), 2))
    except TooLarge:
        return (..., "opaque", kind.__name__)
    return (..., "large", kind.__name__, len(value), digest.digest())


def is_plain(value: Any, depth: int, budget: list[int]) -> bool:
    """Whether ``value`` is made of exact builtin types only; looks at a flat container's types in one step."""
    kind = type(value)
    if kind in SCALARS:
        return True
    if kind is dict:
        items = [*value, *value.values()]
    elif kind is list or kind is tuple or kind is set or kind is frozenset:
        items = value
    else:
        return False
    budget[0] -= len(items) + CONTAINER_ITEMS
    if budget[0] < 0 or depth == 0:
        raise TooLarge
    if SCALARS.issuperset(map(type, items)):
        return True
    return all(is_plain(item, depth - 1, budget) for item in items)


def describe(value: Any, depth: int, budget: list[int]) -> Any:
    """``value`` with everything replaced that is no exact builtin: a subclass by its base value, the rest described.

    Reads through the base types' own methods, so that overridden ones cannot lie about the value.
    """
    kind = type(value)
    if kind in SCALARS:
        return value
    budget[0] -= CONTAINER_ITEMS
    if depth == 0 or budget[0] < 0:
        raise TooLarge
    special = describe_special(value, kind)
    if special is not None:
        return special
    for base, read in SCALAR_BASES:
        if issubclass(kind, base):
            return read(value)
    for sequence in (list, tuple, set, frozenset):
        if issubclass(kind, sequence):
            return sequence([describe(item, depth - 1, budget) for item in sequence.__iter__(value)])
    if issubclass(kind, dict):
        return {describe(k, depth - 1, budget): describe(v, depth - 1, budget) for k, v in dict.items(value)}
    for name, view in VIEWS:
        if kind is view:
            return (..., name, [describe(item, depth - 1, budget) for item in value])
    return (..., "opaque", kind.__name__)


def describe_special(value: Any, kind: type) -> Any:
    """The listed encodings of types that are no builtins' subclasses, and of numpy's scalars, some of which are."""
    name = (kind.__module__, kind.__name__)
    if kind is range:
        return (..., "range", value.start, value.stop, value.step)
    if kind is bytearray:
        return (..., "bytearray", bytes(value))
    if name == ("decimal", "Decimal"):
        return (..., "decimal", str(value))
    if name == ("fractions", "Fraction"):
        return (..., "fraction", value.numerator, value.denominator)
    if name[0] == "numpy" and name[1] != "ndarray" and hasattr(kind, "dtype"):
        item = value.item()
        return (..., "numpy", name[1], item) if type(item) in SCALARS else (..., "opaque", name[1])
    return None


SCALAR_BASES: tuple[tuple[type, Any], ...] = (
    (int, int.__int__),
    (float, float.__float__),
    (complex, complex.__pos__),
    (str, str.__str__),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
)
VIEWS: tuple[tuple[str, Any], ...] = (("keys", type({}.keys())), ("items", type({}.items())))


def error_line(error: BaseException) -> bytes:
    try:
        return f"{type(error).__name__}: {error}"[:300].encode("utf-8", "replace")
    except BaseException:  # noqa: BLE001 (its own __str__ may do anything)
        return b"an exception"


def run_part(code: CodeType, entry_point: str, calls: list[tuple[bytes, bool]], timed: bool, writer: Writer) -> None:
    module = type(sys)("solution")
    sys.modules["solution"] = module
    try:
        exec(code, module.__dict__)  # noqa: S102
        function = module.__dict__[entry_point]
        writer.record(STARTED)
        writer.flush()
        try:  # noqa: SIM105 (contextlib would have to be imported)
            _thread.start_new_thread(writer.keep_flushing, ())
        except RuntimeError:
            pass  # no thread is left to it: results come when the buffer is full
        for packed, flush_first in calls:
            if flush_first:
                writer.flush()
            arguments = marshal.loads(packed)  # noqa: S302
            start = time.perf_counter()
            value = encode(function(*arguments))
            if timed:
                writer.record(SECONDS, marshal.dumps(time.perf_counter() - start, 2))
            writer.record(VALUE, value)
    except BaseException as error:  # noqa: BLE001 (SystemExit and KeyboardInterrupt are failures too)
        writer.record(ERROR, error_line(error))
    writer.flush()


def main() -> None:
    with open(0, "rb", closefd=False) as stdin:
        source, entry_point, timed, parts = marshal.loads(stdin.read())  # noqa: S302
    writer = Writer(os.dup(1))
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    resource.setrlimit(resource.RLIMIT_STACK, (hard, hard))  # deep recursion is legal, as in EvalPlus
    writer.record(READY)
    writer.flush()
    try:
        code = compile(source, "solution.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        writer.record(COMPILE_ERROR, error_line(error))
        writer.flush()
        return
    for name in PRELOADED:
        if name in source:
            __import__(name)
    for part in parts:
        pid = os.fork()  # each part starts afresh
        if pid == 0:
            try:
                run_part(code, entry_point, marshal.loads(part), timed, writer)  # noqa: S302
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        writer.record(END)
        writer.flush()


if __name__ == "__main__":
    main()
