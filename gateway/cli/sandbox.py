"""The sandbox as every command uses it, so that `judge` and `replay` say the same of the same code."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from evaluator.sandbox import Bubblewrap

KINDS = ("bubblewrap", "docker", "gvisor")

packages_option: Callable[[Any], Any] = click.option(
    "--packages",
    envvar="WEIGHBRIDGE_PACKAGES",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Python packages that solutions may import besides the standard library (numpy, say): what "
    "`pip install --target DIR` made. [env: WEIGHBRIDGE_PACKAGES]",
)


def sandbox(packages: Path | None) -> Bubblewrap:
    return Bubblewrap(packages=packages)
