"""What `weighbridge serve` does once its first worker loads."""

import asyncio
import dataclasses
import logging
import socket
from pathlib import Path

import click

from gateway.cli.failure import ConfigFailure, MissingFailure
from gateway.config import Config, ConfigError, is_loopback, load_config
from gateway.processes.startup_code import package_folders, unknown_startup_code
from gateway.processes.supervisor import Address, StateInUse, listen, supervise
from gateway.processes.worker_process import WorkerProcess
from gateway.telemetry import logs

log = logging.getLogger("weighbridge.serve")


def serve(first: WorkerProcess, path: Path, host: str | None, port: int | None, workers: int | None) -> None:
    """Until SIGTERM or Ctrl-C. Raises ``ConfigFailure``, ``MissingFailure``."""
    logs.configure()
    for file in unknown_startup_code(package_folders()):
        log.warning("unknown code runs whenever Python starts: see `weighbridge doctor`", extra={"file": str(file)})
    config = _config(path)
    address = Address(host or config.server.host, config.server.port if port is None else port)
    if config.api_key is None and not is_loopback(address.host):
        raise ConfigFailure(f"to serve {address.host} set WEIGHBRIDGE_API_KEY; without a key only loopback is served")
    listener = _listener(address)
    shown = f"[{address.host}]" if ":" in address.host else address.host
    click.echo(f"weighbridge on http://{shown}:{listener.getsockname()[1]}/v1", err=True)
    try:
        asyncio.run(supervise(config, listener, workers or config.server.workers, first))
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
