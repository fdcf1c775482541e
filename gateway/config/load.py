"""Reads a config file. Whatever is wrong with it is said at once, with the line and the fix."""

import os
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.config import build
from gateway.config.checks import check_names, check_policies, check_prices, check_section
from gateway.config.config import Config
from gateway.config.describe import describe
from gateway.config.keys import key_settings
from gateway.config.problem import ConfigError, Location, Problem, Report
from gateway.config.schema import ConfigSection
from gateway.config.source import Source, read
from gateway.config.storing import store_url
from gateway.config.watching import watch
from policies.learned_model import InvalidModel

_MAX_BYTES = 1024 * 1024


def load_config(path: str | Path, env: Mapping[str, str] = os.environ) -> Config:
    """The configuration in the YAML file at ``path``; raises ConfigError with every problem found."""
    return parse_config(read_config(path), path, env)


def read_config(path: str | Path) -> str:
    """The file's text; raises ConfigError."""
    path = Path(path)
    advice = "name a YAML file; docs/configuration.md has a whole example"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError((Problem(str(path), None, (), error.strerror or str(error), advice),)) from error
    if len(data) > _MAX_BYTES:
        raise ConfigError((Problem(str(path), None, (), "larger than 1 MiB", advice),))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError((Problem(str(path), line, (), "not UTF-8 text", "save it as UTF-8"),)) from error


def parse_config(text: str, path: str | Path, env: Mapping[str, str] = os.environ) -> Config:
    """``text`` as the configuration that stands at ``path``; raises ConfigError with every problem found.

    ``env`` fills `${NAME}` in the file. WEIGHBRIDGE_API_KEY is the key where the file names none, and
    WEIGHBRIDGE_STATE_DIR goes before the file's `state_dir`.
    """
    path = Path(path)
    source = read(text, str(path), env)
    if source.problems and source.values is None:
        raise ConfigError(tuple(source.problems))
    values = {} if source.values is None else source.values
    if isinstance(values, dict):
        key = values.get("api_key") or env.get("WEIGHBRIDGE_API_KEY") or None
        values = {**values, "api_key": key}
        _report(source, check_names(values))
    section = _validated(source, values)
    _report(source, check_section(section, path.parent))
    if source.problems:
        raise ConfigError(_sorted(source))
    return _built(text, source, section, env)


def _built(text: str, source: Source, section: ConfigSection, env: Mapping[str, str]) -> Config:
    path = Path(source.file)
    routes = {name: build.route(name, part, path.parent) for name, part in section.routes.items()}
    try:
        policies = build.policies(section, path.parent)
    except InvalidModel as error:  # it was another one when the sections were checked
        raise ConfigError((source.problem(("policies",), str(error), "try again"),)) from error
    _report(source, check_policies(policies, routes))
    if source.problems:
        raise ConfigError(_sorted(source))
    state_dir = Path(env.get("WEIGHBRIDGE_STATE_DIR") or section.state_dir or ".weighbridge")
    return Config(
        path=path,
        text=text,
        routes=routes,
        policies=policies,
        aliases=section.aliases,
        server=build.server(section),
        limits=build.limits(section),
        cache=build.cache(section.cache),
        telemetry=build.telemetry(section),
        watch=watch(section.watch, path.parent),
        state_dir=state_dir,
        sandboxd=path.parent / section.sandboxd if section.sandboxd else state_dir / "sandboxd.sock",
        api_key=section.api_key.get_secret_value() if section.api_key else None,
        store_url=store_url(section.store),
        keys=key_settings(section.keys),
        keep_days=section.ledger.keep_days,
        warnings=tuple(source.problem(*warning) for warning in check_prices(section, policies)),
    )


def _validated(source: Source, values: object) -> ConfigSection:
    """The file's sections; what breaks the schema is reported and left out, so that the rest can be checked too."""
    try:
        return ConfigSection.model_validate(values)
    except ValidationError as error:
        faults = error.errors(include_url=False)
    _report(source, map(describe, faults))
    if not isinstance(values, dict):
        return ConfigSection(routes={})
    rest = {"routes": {}, **deepcopy(values)}
    try:
        for fault in faults:
            _cut_setting(rest, fault["loc"])
        return ConfigSection.model_validate(rest)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            _cut_entry(rest, fault["loc"])
    return ConfigSection.model_validate(rest)


def _cut_setting(values: dict[str, Any], at: Location) -> None:
    """Removes the one setting at ``at``, if it can be found."""
    if at == ("api_key",):
        values["api_key"] = "unusable"  # there is one: whether it is needed is not the question
        return
    within: object = values
    for step in at[:-1]:
        within = within.get(step) if isinstance(within, dict) else None
    if isinstance(within, dict):
        within.pop(at[-1], None)


def _cut_entry(values: dict[str, Any], at: Location) -> None:
    """Removes the route, policy or setting that ``at`` lies in, or else the whole section."""
    key = str(at[0])
    section = values.get(key)
    if isinstance(section, dict) and len(at) > 1 and at[1] in section:
        section.pop(at[1])
    elif key == "routes":
        values[key] = {}
    else:
        values.pop(key, None)


def _report(source: Source, reports: Iterable[Report]) -> None:
    for report in reports:
        source.report(*report)


def _sorted(source: Source) -> tuple[Problem, ...]:
    return tuple(sorted(source.problems, key=lambda problem: problem.line or 0))
