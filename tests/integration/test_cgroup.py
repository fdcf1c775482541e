"""Control groups that are used again: one that still holds memory is passed over, not the reason that nothing runs."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from evaluator.sandbox import cgroup

_HOLD = "import sys; sys.stdin.readline(); kept = b'x' * (128 << 20); print('up', flush=True); sys.stdin.read()"


@pytest.fixture
def groups() -> Iterator[cgroup.Groups]:
    found = cgroup.find()
    if found is None:
        pytest.skip("no control groups can be made here")
    yield found
    found.close()


def test_a_group_is_used_again(groups: cgroup.Groups) -> None:
    first = groups.take(64 << 20, 8)
    groups.give_back(first)
    assert groups.take(96 << 20, 8) == first
    assert groups.take(96 << 20, 8) != first


def test_a_group_that_memory_is_left_in_is_passed_over(groups: cgroup.Groups) -> None:
    if groups.version == 2:
        pytest.skip("version 2 takes any limit, and makes it hold")
    left = groups.take(256 << 20, 8)
    with subprocess.Popen([sys.executable, "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin and holder.stdout
        left.take(holder.pid)
        holder.stdin.write(b"now\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == b"up\n"
        groups.give_back(left)
        assert groups.take(16 << 20, 8) != left
        holder.stdin.close()
    assert groups.take(16 << 20, 8) == left
