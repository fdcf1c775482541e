"""The command line: one file per command, imported only when it is called (`serve` must not wait for the evaluator)."""

import importlib
import sys

import click

from gateway.cli.failure import Failure

_COMMANDS = {
    "serve": "gateway.cli.serve",
    "up": "gateway.cli.up",
    "vllm": "gateway.cli.vllm",
    "replay": "gateway.cli.replay",
    "judge": "gateway.cli.judge",
    "suite": "gateway.cli.suite",
    "probe": "gateway.cli.probe",
    "watch": "gateway.cli.watch",
    "matrix": "gateway.cli.matrix",
    "compare": "gateway.cli.compare",
    "feedback": "gateway.cli.feedback",
    "policy": "gateway.cli.policy",
    "keys": "gateway.cli.keys",
    "spend": "gateway.cli.spend",
    "config": "gateway.cli.config",
    "doctor": "gateway.cli.doctor",
    "sandboxd": "gateway.cli.sandboxd",
}


class _Lazy(click.Group):
    """Each module in the table holds one click command named ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = importlib.import_module(module).command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="weighbridge")
def cli() -> None:
    """Weighbridge: a gateway for code assistants that weighs its own routes.

    \b
    Exit codes
      0    done
      1    done, and the answer is no: a check failed, a solution does not pass
      2    usage or configuration: the message says which line and what to write
      3    something needed is missing or down: gateway, sandbox, toolchain
      130  interrupted; what was finished is kept and the same command resumes
    """


def main() -> None:
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Failure as failure:
        click.echo(f"weighbridge: {failure}", err=True)
        sys.exit(failure.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
