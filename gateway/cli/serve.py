"""`weighbridge serve`."""

import asyncio
import dataclasses
import socket
from pathlib import Path

import click

from gateway.cli.failure import ConfigFailure, MissingFailure
from gateway.config import Config, ConfigError, is_loopback, load_config
from gateway.supervisor import Address, StateInUse, listen, supervise
from gateway.telemetry import logs


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
    logs.configure()
    config = _config(path)
    address = Address(host or config.server.host, config.server.port if port is None else port)
    if config.api_key is None and not is_loopback(address.host):
        raise ConfigFailure(f"to serve {address.host} set WEIGHBRIDGE_API_KEY; without a key only loopback is served")
    listener = _listener(address)
    shown = f"[{address.host}]" if ":" in address.host else address.host
    click.echo(f"weighbridge on http://{shown}:{listener.getsockname()[1]}/v1", err=True)
    try:
        asyncio.run(supervise(config, listener, workers or config.server.workers))
    except StateInUse as error:
        raise ConfigFailure(str(error)) from error


def _config(path: Path) -> Config:
    try:
        config = load_config(path)
    except ConfigError as error:
        raise ConfigFailure(str(error)) from error
    return dataclasses.replace(config, path=path.absolute())  # a link stays one: whoever swaps it changes the file


def _listener(address: Address) -> socket.socket:
    try:
        return listen(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise MissingFailure(
            f"cannot listen on {address.host}:{address.port}: {reason}; choose another --port"
        ) from error
