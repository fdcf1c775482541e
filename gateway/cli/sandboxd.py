"""`weighbridge sandboxd`: the process that runs untrusted code for others."""

import os
from pathlib import Path

import click

from evaluator.sandbox import SandboxError
from evaluator.sandbox.launch import OWN_UID, Launched, Service
from gateway.cli.failure import Failure, MissingFailure
from gateway.cli.sandbox import KINDS, packages_option


@click.command()
@click.option(
    "--socket", "path", type=click.Path(path_type=Path), help="Where to serve. [default: .weighbridge/sandboxd.sock]"
)
@click.option("--sandbox", "kind", type=click.Choice(KINDS), default="bubblewrap", show_default=True)
@click.option("--parallel", type=click.IntRange(1), help="Programs run at once. [default: the number of CPUs]")
@click.option("--waiting", type=click.IntRange(0), default=64, show_default=True, help="How many may wait for a turn.")
@click.option("--seconds", type=click.FloatRange(1), default=900.0, show_default=True, help="The longest run there is.")
@click.option("--group", metavar="NAME", help="Whose members may ask, beside the user who starts it.")
@click.option(
    "--user",
    metavar="NAME",
    help="Whom it runs as, where root starts it: a name or number. [default: for bubblewrap a number that is nobody's, "
    "for Docker root]",
)
@packages_option
def command(
    path: Path | None,
    kind: str,
    parallel: int | None,
    waiting: int,
    seconds: float,
    group: str | None,
    user: str | None,
    packages: Path | None,
) -> None:
    """Run programs in a sandbox for whoever may open its socket, until SIGTERM or Ctrl-C.

    `judge` and `replay` use it with `--sandbox sandboxd:PATH`. It has a user of its own, no network, an environment
    without secrets, and refuses when too many wait.
    """
    options: dict[str, object] = {"kind": kind}
    if kind == "bubblewrap":
        user = user or str(OWN_UID)
        options |= {"packages": str(packages)} if packages else {}
    elif host := os.environ.get("DOCKER_HOST"):
        options["host"] = host
    where = path or Path(os.environ.get("WEIGHBRIDGE_STATE_DIR", ".weighbridge"), "sandboxd.sock")
    service = Service(
        where.absolute(),
        options,
        parallel or os.cpu_count() or 1,
        waiting,
        seconds,
        None if user == "root" else user,
        group,
    )
    try:
        launched = Launched(service)
    except (SandboxError, OSError) as error:
        raise MissingFailure(f"sandboxd cannot start: {error}") from error
    try:
        click.echo(f"sandboxd ({kind}) at {where}", err=True)
        status = launched.wait()
    finally:
        launched.close()
    if status:
        raise Failure(f"sandboxd ended with status {status}")
