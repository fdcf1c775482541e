"""`weighbridge config`: questions about a config file, answered offline."""

import json
from pathlib import Path

import click

from gateway.cli.failure import ConfigFailure
from gateway.config import Config, ConfigError, Problem, load_config


@click.group()
def command() -> None:
    """Check a config file, without starting or asking anything."""


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def check(file: Path, as_json: bool) -> None:
    """Say everything that is wrong with FILE, each with its line and the fix.

    Unknown keys, unset variables, names that clash, policies that no route can ever match. Nothing is started or
    called. Exit code 0 when the file can be served, 2 when it cannot.
    """
    try:
        config = load_config(file)
    except ConfigError as error:
        if as_json:
            click.echo(json.dumps({"ok": False, "problems": [_row(problem) for problem in error.problems]}, indent=2))
        else:
            click.echo(str(error), err=True)
        count = len(error.problems)
        raise ConfigFailure(f"{count} problem{'s' if count > 1 else ''} in {file}") from error
    click.echo(json.dumps(_summary(config), indent=2) if as_json else _text(config))


def _summary(config: Config) -> dict[str, object]:
    return {
        "ok": True,
        "routes": list(config.routes),
        "policies": list(config.policies),
        "aliases": dict(config.aliases),
        "warnings": [_row(warning) for warning in config.warnings],
    }


def _row(problem: Problem) -> dict[str, object]:
    return {
        "file": problem.file,
        "line": problem.line,
        "key": problem.key,
        "message": problem.message,
        "fix": problem.fix,
    }


def _text(config: Config) -> str:
    lines = [f"warning: {warning}" for warning in config.warnings]
    lines.append(f"{config.path}: ok")
    lines.append(f"  routes    {', '.join(config.routes)}")
    lines.append(f"  policies  {', '.join(config.policies) or 'none'}")
    lines.append(f"  aliases   {', '.join(f'{name} -> {target}' for name, target in config.aliases.items()) or 'none'}")
    return "\n".join(lines)
