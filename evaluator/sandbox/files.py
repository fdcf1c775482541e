"""Files for a program in any sandbox: they come ahead of its standard input, and leave by its standard output."""

import io
import tarfile
from collections.abc import Mapping, Sequence

from evaluator.sandbox.sandbox import Program

# `dd` reads exactly the archive, so that what follows it is the program's own standard input.
_UNPACK = 'dd bs="$1" count=1 iflag=fullblock status=none | tar xf - || exit 125; shift; exec "$@"'
_UNPACK_AND_KEEP = (
    'dd bs="$1" count=1 iflag=fullblock status=none | tar xf - || exit 125; keep=$2; shift 2; '
    '"$@" >&2 </dev/null || exit 1; [ -z "$keep" ] || tar cf - -- $keep'
)
_UNPACK_CARRIED = 'mkdir "$1" && tar xf "$1.tar" -C "$1" && rm "$1.tar" || exit 125; shift; exec "$@"'


def archive(files: Mapping[str, bytes]) -> bytes:
    """A tar archive; the same for the same files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def with_files(packed: bytes, argv: Sequence[str], stdin: bytes = b"") -> Program:
    """Runs ``argv`` where the archive's files are."""
    return Program(("sh", "-c", _UNPACK, "sh", str(len(packed)), *argv), packed + stdin)


def making_files(packed: bytes, argv: Sequence[str], keep: Sequence[str]) -> Program:
    """Runs ``argv`` there, and writes an archive of the files that match ``keep`` to standard output.

    What ``argv`` writes goes to standard error. Exit status 1: it failed.
    """
    return Program(("sh", "-c", _UNPACK_AND_KEEP, "sh", str(len(packed)), " ".join(keep), *argv), packed)


def carrying(packed: bytes, folder: str, argv: Sequence[str]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """One more file for ``argv``, and the command that makes a folder of that archive and then runs ``argv``."""
    return {f"{folder}.tar": packed}, ("sh", "-c", _UNPACK_CARRIED, "sh", folder, *argv)
