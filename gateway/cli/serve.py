"""`weighbridge serve`."""

from pathlib import Path

import click

from gateway.processes.worker_process import WorkerProcess


@click.command(name="serve", short_help="Serve the gateway.")
@click.option("--config", "path", type=click.Path(path_type=Path), required=True, help="The YAML configuration.")
@click.option("--host", help="Address to listen on (default: the configuration's, else 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port (default: the configuration's, else 8080).")
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Serving processes (default: the configuration's, else 1)."
)
def command(path: Path, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the gateway until SIGTERM or Ctrl-C.

    A change of the file takes effect while serving, or at once on SIGHUP; a broken one leaves the old one in force.

    Without an API key only this machine is served. State (ledger, scorecards) is kept in .weighbridge, or in
    WEIGHBRIDGE_STATE_DIR.
    """
    with WorkerProcess() as first:  # it loads its modules while we load ours
        from gateway.cli.serve_run import serve  # noqa: PLC0415

        serve(first, path, host, port, workers)
