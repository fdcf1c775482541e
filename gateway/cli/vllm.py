"""`weighbridge vllm`: the presets, and a launch that checks the machine before it becomes `vllm serve`."""

import dataclasses
import json
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from backends.vllm_fit import GIB, GPU_RESERVE, Need, need_of, refusals
from backends.vllm_server import VllmCommand, cpu_command, gpu_command
from gateway.cli.failure import ConfigFailure, Failure, MissingFailure
from gateway.cli.table import columns, wrapped
from gateway.cli.up_upstream import installed
from gateway.cli.vllm_node import Node, probe, vllm_python
from gateway.cli.vllm_preset import Lora, Preset, load_preset, preset_names
from gateway.cli.vllm_text import arithmetic, cpu_arithmetic, node_lines
from gateway.config import is_loopback

_CPU_KV_CACHE = GIB  # what `cpu_command` gives


@click.group()
def command() -> None:
    """Presets of models, and launching vLLM with them."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def presets(as_json: bool) -> None:
    """List the presets: what can be launched by name."""
    found = {name: load_preset(name) for name in preset_names()}
    if as_json:
        click.echo(json.dumps({name: preset.model_dump(mode="json") for name, preset in found.items()}, indent=2))
        return
    rows = [("preset", "model", "on", "max-model-len")]
    for name, preset in found.items():
        machine = "CPU" if preset.device == "cpu" else f"{preset.serve.tensor_parallel} GPUs"
        rows.append((name, preset.model, machine, str(preset.serve.max_model_len)))
    click.echo("\n".join(columns(rows, left=(0, 1, 2))))


@command.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Print the arithmetic, the command and the route; look at nothing.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that vLLM listens on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="vLLM's port.")
@click.option(
    "--python", envvar="WEIGHBRIDGE_VLLM_PYTHON", type=click.Path(path_type=Path), help="vLLM's own interpreter."
)
@click.option("--weights", help="A directory with the weights, where they are not to come from a hub.")
@click.option("--lora", "loras", multiple=True, metavar="NAME=PATH", help="Serve this adapter too; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--route-yaml", is_flag=True, help="Print the gateway's routes for it, and nothing else; launch nothing.")
def launch(
    name: str,
    dry_run: bool,
    host: str,
    port: int,
    python: Path | None,
    weights: str | None,
    loras: tuple[str, ...],
    as_json: bool,
    route_yaml: bool,
) -> None:
    """Check this machine for the preset NAME (or a .yaml file), then become `vllm serve`.

    \b
    The GPUs are looked at through torch in vLLM's interpreter: --python, else the one beside `vllm` on PATH. What does
    not fit is refused, with the arithmetic. A preset for the CPU installs vLLM's CPU build into the cache first.
    VLLM_API_KEY is the key that vLLM will ask for.
    """
    preset = load_preset(name)
    preset = preset.model_copy(update={"lora": (*preset.lora, *map(_lora, loras))})
    plan = _Plan(_route_name(name), preset, host, port, python, weights)
    if route_yaml:
        click.echo(plan.routes, nl=False)
    elif dry_run:
        click.echo(json.dumps(plan.summary(None), indent=2) if as_json else plan.text())
    else:
        _launch(plan, as_json)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What was asked for, before the machine is looked at."""

    name: str
    preset: Preset
    host: str
    port: int
    python: Path | None
    weights: str | None

    @property
    def need(self) -> Need:
        on_cpu = self.preset.device == "cpu"
        return need_of(self.preset.config, self.preset.serving, _CPU_KV_CACHE if on_cpu else GPU_RESERVE)

    @property
    def routes(self) -> str:
        host = "HOST" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - the node's own name goes there
        with_key = self.preset.device == "gpu" and bool(os.environ.get("VLLM_API_KEY"))
        routes = self.preset.routes(self.name, f"http://{host}:{self.port}", with_key=with_key)
        return yaml.safe_dump({"routes": routes}, sort_keys=False)

    def command(self, python: Path, weights: str) -> VllmCommand:
        preset = self.preset
        if preset.device == "cpu":
            command = cpu_command(python, Path(weights), preset.model, self.port)
        else:
            adapters = [f"{lora.name}={lora.path}" for lora in preset.lora]
            command = gpu_command(
                python, weights, preset.model, self.port, preset.serving, flags=preset.serve.flags, loras=adapters
            )
        return dataclasses.replace(command, host=self.host)

    def shell(self) -> str:
        """For reading and for pasting: `vllm serve`, with the variables that it is given."""
        command = self.command(self.python or Path("python"), self.weights or self.preset.model)
        argv = command.argv if self.python else ["vllm", *command.argv[3:]]
        variables = [f"{name}={shlex.quote(value)}" for name, value in command.own_environment.items()]
        return " \\\n    ".join([*variables, _by_flag(argv)])

    def arithmetic(self, node: Node | None = None) -> list[str]:
        shape, serving, need = self.preset.config, self.preset.serving, self.need
        if self.preset.device == "cpu":
            return cpu_arithmetic(shape, serving, need)
        return [*arithmetic(shape, serving, need), *(node_lines(serving, need, node.gpus) if node else [])]

    def text(self) -> str:
        head = f"{self.name}: {self.preset.model}"
        return "\n".join([head, *self.arithmetic(), "", wrapped(self.preset.why), "", self.shell(), "", self.routes])

    def summary(self, node: Node | None, refused: Sequence[str] = ()) -> dict[str, Any]:
        command = self.command(self.python or Path("python"), self.weights or self.preset.model)
        return {
            "ok": not refused,
            "refused": list(refused),
            "preset": self.name,
            "command": command.argv,
            "environment": command.own_environment,
            "need_bytes": {**dataclasses.asdict(self.need), "total": self.need.total},
            "node": dataclasses.asdict(node) | {"python": str(node.python)} if node else None,
            "routes": yaml.safe_load(self.routes)["routes"],
        }


def _launch(plan: _Plan, as_json: bool) -> None:
    _check_host(plan)
    plan = _with_cpu_build(plan) if plan.preset.device == "cpu" else _with_python(plan)
    assert plan.python is not None
    node = probe(plan.python)
    refused = _refusals(plan, node)
    if as_json:
        click.echo(json.dumps(plan.summary(node, refused), indent=2))
    if refused:
        reasons = [f"  {reason}" for reason in refused]
        raise Failure("\n".join([f"{plan.name} cannot be served here:", *plan.arithmetic(node), *reasons]))
    if not as_json:
        click.echo("\n".join([f"{plan.name}: {plan.preset.model}", *plan.arithmetic(node), plan.shell()]))
    sys.stdout.flush()
    command = plan.command(plan.python, plan.weights or plan.preset.model)
    os.execve(command.argv[0], command.argv, command.environment)  # noqa: S606 - no shell is wanted


def _check_host(plan: _Plan) -> None:
    if is_loopback(plan.host):
        return
    if plan.preset.device == "cpu":
        raise ConfigFailure(f"{plan.name} has no key and is served on loopback only; leave --host away")
    if not os.environ.get("VLLM_API_KEY"):
        raise ConfigFailure(f"to serve {plan.host} set VLLM_API_KEY; without a key only loopback is served")


def _with_cpu_build(plan: _Plan) -> _Plan:
    """The CPU build and the small model, installed where they are missing."""
    if plan.python is not None and plan.weights is not None:
        return plan
    environment, model = installed()
    python = plan.python or environment / "bin/python"
    return dataclasses.replace(plan, python=python, weights=plan.weights or str(model))


def _with_python(plan: _Plan) -> _Plan:
    python = plan.python or vllm_python()
    if python is None:
        lines = [f"no vLLM was found for {plan.name}, which needs:", *plan.arithmetic()]
        advice = "  install vLLM on a machine with such GPUs and name its interpreter: --python PATH"
        raise MissingFailure("\n".join([*lines, advice]))
    return dataclasses.replace(plan, python=Path(os.path.abspath(python)))  # noqa: PTH100 - symlinks are kept: a venv is one


def _refusals(plan: _Plan, node: Node) -> list[str]:
    if plan.preset.device == "gpu":
        return refusals(plan.preset.config, plan.preset.serving, node.gpus)
    if not node.vllm.endswith("+cpu"):
        return [f"vLLM {node.vllm} in {node.python} is not the CPU build; leave --python away and it is installed"]
    return []


def _route_name(name: str) -> str:
    return Path(name).stem if name.endswith((".yaml", ".yml")) else name


def _lora(text: str) -> Lora:
    name, _, path = text.partition("=")
    try:
        return Lora(name=name, path=path)
    except ValueError as error:
        raise ConfigFailure(f"--lora {text!r}: write NAME=PATH, NAME of letters, digits and . _ -") from error


def _by_flag(argv: Sequence[str]) -> str:
    """A line a flag."""
    return " ".join(("\\\n    " if word.startswith("--") else "") + shlex.quote(word) for word in argv)
