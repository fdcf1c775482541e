"""`weighbridge up`: everything on this machine, from nothing to a weighed route. `make run` calls it."""

import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from backends.child_process import ChildProcess
from backends.vllm_server import ServerFailed, cpu_command, free_port, wait_until_ready
from gateway.cli.failure import ConfigFailure, Failure, MissingFailure
from gateway.cli.sandbox import sandbox_option
from gateway.cli.up_claude import with_claude
from gateway.cli.up_upstream import DEMO_CONFIG, DEMO_MODEL, DEMO_ROUTE, config_for, first_model, installed

_WEIGHBRIDGE = str(Path(sys.executable).with_name("weighbridge"))
_SUITE = "builtin:javascript,python"  # what needs no toolchain beside ours, and is over in minutes on two cores
_VLLM_READY_S, _GATEWAY_READY_S = 600, 120
_NEWS_EVERY_S = 10


@click.command(short_help="Start vLLM and the gateway, weigh the route, serve.")
@click.option(
    "--port", envvar="PORT", default=8080, show_default=True, type=click.IntRange(1, 65535), help="The gateway's port."
)
@sandbox_option
def command(port: int, kind: str) -> None:
    """Start a small real model on vLLM and the gateway before it, replay the built-in suite through it (its Python
    and JavaScript tasks), and serve.

    With VLLM_BASE_URL set, the first model of that server is used and none is started (VLLM_API_KEY: its key). With
    ANTHROPIC_API_KEY set, Claude is a second route, which costs money. Ctrl-C stops everything that was started. Logs
    are in .weighbridge, or in WEIGHBRIDGE_STATE_DIR.
    """
    _check_port(port)
    state_dir = Path(os.environ.get("WEIGHBRIDGE_STATE_DIR") or ".weighbridge")
    state_dir.mkdir(parents=True, exist_ok=True)
    with _stopping_on_signals(), ExitStack() as stack:
        up = _Up(state_dir, f"http://127.0.0.1:{port}", stack)
        url = os.environ.get("VLLM_BASE_URL")
        config, route = up.use_server(url) if url else up.start_vllm()
        up.start_gateway(with_claude(config, os.environ, state_dir / "up.yaml"), port)
        up.run("replay", _SUITE, "--route", route, "--sandbox", kind)
        up.run("matrix")
        click.echo(f"  other languages: deploy/setup/toolchains.sh, then weighbridge replay builtin --route {route}")
        click.echo(_how_to(f"{up.url}/v1", state_dir))
        up.serve()


@dataclass(slots=True)
class _Up:
    """What runs so far; ``stack`` stops it in reverse order."""

    state_dir: Path
    url: str
    stack: ExitStack
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    servers: dict[str, ChildProcess] = field(default_factory=dict)

    def start_vllm(self) -> tuple[Path, str]:
        """The config and the route of the demo model, served by a vLLM of ours."""
        environment, model = installed()
        server = cpu_command(environment / "bin/python", model, DEMO_MODEL, free_port())
        process = self._started("vLLM", server.start(self.state_dir / "vllm.log"))
        _wait("vLLM", process, f"{server.base_url}/health", _VLLM_READY_S)
        self.env["VLLM_BASE_URL"] = server.base_url
        return DEMO_CONFIG, DEMO_ROUTE

    def use_server(self, url: str) -> tuple[Path, str]:
        """A config for the first model of somebody else's server, of which nothing more is known."""
        base_url = url.rstrip("/").removesuffix("/v1")
        config, route = config_for(base_url, first_model(base_url))
        path = self.state_dir / "up.yaml"
        path.write_text(json.dumps(config, indent=2) + "\n")
        return path, route

    def start_gateway(self, config: Path, port: int) -> None:
        argv = [_WEIGHBRIDGE, "serve", "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        process = self._started("gateway", ChildProcess(argv, env=self.env, log=self.state_dir / "gateway.log"))
        _wait("gateway", process, f"{self.url}/health/ready", _GATEWAY_READY_S)

    def run(self, *words: str) -> None:
        """One of our own commands against the gateway, to its end."""
        click.echo(f"weighbridge {' '.join(words)}")
        started = time.monotonic()
        with ChildProcess([_WEIGHBRIDGE, *words, "--base-url", f"{self.url}/v1"], env=self.env) as process:
            while (status := process.poll()) is None:
                self._check_servers()
                time.sleep(0.1)
        if status:
            failure = Failure(f"`weighbridge {words[0]}` ended with status {status}")
            failure.exit_code = status
            raise failure
        click.echo(f"  {words[0]} ({time.monotonic() - started:.0f} s)")

    def serve(self) -> None:
        """Until Ctrl-C or SIGTERM, which is a good end."""
        try:
            while True:
                self._check_servers()
                time.sleep(0.5)
        except KeyboardInterrupt:
            click.echo("stopping")

    def _started(self, name: str, process: ChildProcess) -> ChildProcess:
        self.servers[name] = self.stack.enter_context(process)
        return process

    def _check_servers(self) -> None:
        for name, process in self.servers.items():
            if (status := process.poll()) is not None:
                raise _server_failure(
                    name, process, ServerFailed(f"it ended with status {status}", process.last_lines(25))
                )


def _wait(name: str, process: ChildProcess, url: str, timeout_s: float) -> None:
    progress = _Progress(name)
    try:
        wait_until_ready(process, url, timeout_s=timeout_s, waiting=progress.waiting)
    except ServerFailed as error:
        raise _server_failure(name, process, error) from error
    progress.ready()


class _Progress:
    """On a terminal one line that is written anew; elsewhere a line every ten seconds."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._terminal = sys.stdout.isatty()
        self._started = self._said = time.monotonic()
        self._line(f"{name} ...")

    def waiting(self, doing: str) -> None:
        now = time.monotonic()
        if self._terminal or now - self._said >= _NEWS_EVERY_S:
            self._said = now
            self._line(f"{self._name} ... {now - self._started:.0f} s  {doing:.90}".rstrip())

    def ready(self) -> None:
        self._line(f"{self._name} is ready ({time.monotonic() - self._started:.0f} s)")
        if self._terminal:
            click.echo()

    def _line(self, text: str) -> None:
        if self._terminal:
            click.echo(f"\r\033[K  {text[: shutil.get_terminal_size().columns - 3]}", nl=False)
        else:
            click.echo(f"  {text}")


def _server_failure(name: str, process: ChildProcess, failed: ServerFailed) -> MissingFailure:
    end = "".join(f"\n  | {line}" for line in failed.lines)
    return MissingFailure(f"{name}: {failed}. The end of {process.log}:{end}")


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            advice = f"choose another: PORT={port + 1} make run, or weighbridge up --port {port + 1}"
            raise ConfigFailure(f"port {port} of 127.0.0.1 cannot be used ({error.strerror}); {advice}") from error


@contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """The first Ctrl-C, SIGTERM or SIGHUP ends us in order; more of them cannot break the ending."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup
        numbers.append(signal.SIGHUP)

    def stop(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _how_to(base_url: str, state_dir: Path) -> str:
    key = "$WEIGHBRIDGE_API_KEY" if os.environ.get("WEIGHBRIDGE_API_KEY") else "any"
    provider = f'{{name="Weighbridge", base_url="{base_url}", wire_api="responses"}}'
    return f"""
Serving {base_url}; logs and ledger are in {state_dir}; Ctrl-C stops everything.
  OpenAI SDK  OpenAI(base_url="{base_url}", api_key="{key}").chat.completions.create(model="auto", ...)
  Codex       codex -c 'model_providers.weighbridge={provider}' -c model_provider=weighbridge -m auto
  aider       OPENAI_API_BASE={base_url} OPENAI_API_KEY={key} aider --model openai/auto
"""
