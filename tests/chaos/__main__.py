"""`make chaos`: random requests and random faults, then an audit; `--seed` repeats a run."""

import asyncio
import logging
import secrets
import shutil
import tempfile
from pathlib import Path

import click

from tests.chaos.report import document, summary
from tests.chaos.run import play
from tests.chaos.store import Database, Files, Store


@click.command()
@click.option("--seed", type=int, help="Repeats the run that had it; drawn where not given.")
@click.option("--requests", type=click.IntRange(1), default=20_000, show_default=True)
@click.option("--write", is_flag=True, help="Put the results into docs/chaos.md.")
@click.option("--sqlite", is_flag=True, help="A ledger in each gateway's own SQLite file, not one Postgres for both.")
@click.option("--keep", type=click.Path(path_type=Path), help="Leave logs and ledgers in this new folder.")
def main(seed: int | None, requests: int, sqlite: bool, write: bool, keep: Path | None) -> None:
    """Two gateways, a Valkey, a store and three upstreams, all of which fail; then an audit of what is left.

    Ends with 1 where an invariant does not hold, and with the command that repeats the run.
    """
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    seed = secrets.randbelow(10**6) if seed is None else seed
    folder = keep or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(exist_ok=True)
    store: Store = Files(folder) if sqlite else Database()
    again = f"python -m tests.chaos --seed {seed} --requests {requests}" + (" --sqlite" if sqlite else "")
    try:
        outcome = asyncio.run(play(seed, requests, folder, store))
    except BaseException:
        click.echo(f"it broke off; logs are in {folder}; again: {again}", err=True)
        raise
    click.echo(summary(outcome, again))
    if write:
        document(outcome, again)
    if not outcome.holds:
        raise SystemExit(f"logs are in {folder}; again: {again}")
    if keep is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
