"""`watch:` in the config file: whether and how the gateway keeps its own evidence fresh."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field

from gateway.config.problem import Report
from gateway.config.section import Seconds, Secret, Section, Text, Usd, Words


class WatchSection(Section):
    suites: Words = Field(examples=["[builtin:python]"])
    usd_per_day: Usd | None = Field(default=None, examples=["2.00"])
    draws: int | None = Field(default=None, ge=1, examples=["4"])
    every_s: Seconds | None = Field(default=None, examples=["60"])
    rest_s: Seconds | None = Field(default=None, examples=["600"])
    max_tokens: int | None = Field(default=None, ge=1, examples=["512"])
    seed: int | None = Field(default=None, examples=["1"])
    sandbox: Text | None = Field(default=None, examples=["sandboxd:/run/weighbridge/sandboxd.sock"])
    packages: Text | None = Field(default=None, examples=["/opt/packages"])
    webhook: Secret | None = Field(default=None, examples=["${WATCH_WEBHOOK}"])


@dataclass(frozen=True, slots=True)
class Watch:
    """``arguments`` of `weighbridge watch`. ``webhook`` may hold a secret."""

    arguments: tuple[str, ...]
    webhook: str | None = field(default=None, repr=False)


_OPTIONS = {
    "usd_per_day": "--usd-per-day",
    "draws": "--draws",
    "every_s": "--every",
    "rest_s": "--rest",
    "max_tokens": "--max-tokens",
    "seed": "--seed",
    "sandbox": "--sandbox",
    "packages": "--packages",
}


def check_watch(section: WatchSection | None, directory: Path) -> Iterator[Report]:
    if section is None:
        return
    for number, name in enumerate(section.suites):
        if not _is_builtin(name) and not (directory / name).is_file():
            fix = "write `builtin`, `builtin:LANGUAGE`, or a suite file's path, relative to this file"
            yield ("watch", "suites", number), f"no such file: {directory / name}", fix
    webhook = section.webhook.get_secret_value() if section.webhook else None
    if webhook is not None and not (urlsplit(webhook).scheme in ("http", "https") and urlsplit(webhook).netloc):
        yield ("watch", "webhook"), "not an HTTP address", "write it like `https://hooks.example.com/weighbridge`"


def watch(section: WatchSection | None, directory: Path) -> Watch | None:
    """Paths in the file are relative to the file's ``directory``."""
    if section is None:
        return None
    suites = [name if _is_builtin(name) else str(directory / name) for name in section.suites]
    given = section.model_dump(exclude_none=True)
    if section.packages is not None:
        given["packages"] = str(directory / section.packages)
    options = [f"{_OPTIONS[key]}={value}" for key, value in given.items() if key in _OPTIONS]
    return Watch((*suites, *options), section.webhook.get_secret_value() if section.webhook else None)


def _is_builtin(suite: str) -> bool:
    return suite.partition(":")[0] == "builtin"
