"""A serving worker: one process, one event loop, on a socket that its parent has bound."""

import argparse
import asyncio
import gc
import os
import socket
from functools import partial
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from prometheus_client import REGISTRY, CollectorRegistry, values
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.app import create_app
from gateway.config import Config
from gateway.ledger.spool import Spool
from gateway.processes.generations import AcceptedConfig, Generations
from gateway.processes.http_protocol import HttpProtocol
from gateway.processes.process import die_with_parent, open_as_many_files_as_allowed
from gateway.processes.runtime import Runtime
from gateway.processes.server import Server
from gateway.processes.worker_process import Order, receive_order
from gateway.telemetry import logs
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.reload_counts import ReloadCounts
from gateway.telemetry.spool_lag import SpoolLag

_LAST_S = 3  # for connections, once all requests have ended


def main() -> None:
    options = _options()
    die_with_parent(options.parent)
    open_as_many_files_as_allowed()
    gc.freeze()  # what was imported stays: looking at it in every full collection would hold up requests
    if (received := receive_order(options.orders)) is not None:
        _serve(*received)


def _serve(order: Order, listener: socket.socket) -> None:
    logs.configure()
    runtime = Runtime(Path(order.runtime), Path(order.state), order.alone)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(runtime.metrics)
    spool = Spool(runtime.spools, f"{os.getpid()}-{os.urandom(4).hex()}")
    asked_once = partial(int, os.getpid())  # the client asks at every count, for 2 us each
    values.ValueClass = values.MultiProcessValue(asked_once)  # type: ignore[no-untyped-call]
    metrics = Metrics(REGISTRY)

    def build(config: Config, before: FastAPI | None) -> FastAPI:
        return create_app(config, runtime, spool, metrics, lambda: _all_workers(runtime), before)

    app = Generations(AcceptedConfig(runtime, order.config), build, spool.close)
    settings = uvicorn.Config(
        app,
        loop="uvloop",
        http=HttpProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_LAST_S,
    )
    server = Server(settings, app, order.grace_s)
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[listener]))


def _all_workers(runtime: Runtime) -> CollectorRegistry:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(ReloadCounts(runtime.reloads_file))
    registry.register(SpoolLag(runtime.spools))
    return registry


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gateway.processes.worker", description="Started by `weighbridge serve`.")
    parser.add_argument("--orders", type=int, required=True, help="the file descriptor where orders come")
    parser.add_argument("--parent", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
