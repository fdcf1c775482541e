"""A serving worker: one process, one event loop, started by the supervisor with a socket that is already bound."""

import argparse
import asyncio
import os
import socket
from pathlib import Path

import uvicorn
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.app import create_app
from gateway.config import load_config
from gateway.ledger.spool import Spool
from gateway.process import die_with_parent
from gateway.runtime import Runtime
from gateway.telemetry import logs


def main() -> None:
    options = _options()
    die_with_parent(options.parent)
    logs.configure()
    config = load_config(options.config)
    runtime = Runtime(options.runtime, options.state)
    listener = socket.socket(fileno=options.fd)
    spool = Spool(runtime.spools, f"{os.getpid()}-{os.urandom(4).hex()}")
    app = create_app(config, runtime, spool, REGISTRY, _all_workers)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=options.grace_s,
        )
    )
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[listener]))


def _all_workers() -> CollectorRegistry:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gateway.worker", description="Started by `weighbridge serve`.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--grace-s", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
