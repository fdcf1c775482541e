"""Config reload, the parent's half: looks at the file, validates what it finds, and publishes what it accepts.

Workers take the configuration from there and never from the user's file, so that all of them serve the same one, also
a worker that is started while the file is broken.
"""

import asyncio
import json
import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import fields
from pathlib import Path

from gateway.config import Config, ConfigError, is_loopback, parse_config, read_config
from gateway.config.problem import Problem
from gateway.processes.runtime import Runtime

log = logging.getLogger("weighbridge.reload")

LOOK_EVERY_S = 0.5

FileId = tuple[int, int, int, int]
"""Device, inode, time of change and size: another file, or another content, has another one."""


class Reloader:
    """``host`` is where the gateway listens; ``prepare`` gets ready what a configuration needs of the parent."""

    def __init__(
        self, config: Config, runtime: Runtime, host: str, prepare: Callable[[Config], Awaitable[None]]
    ) -> None:
        self._started_with = self.in_force = config
        self._path = config.path
        self._runtime = runtime
        self._host = host
        self._prepare = prepare
        self._text: str | None = config.text
        self._outcomes = Counter({"accepted": 0, "refused": 0})
        self._publish(config)
        self._write_counts()

    async def watch(self, hangup: asyncio.Event) -> None:
        """For ever. A change counts when the file has kept still from one look to the next: editors write in steps.

        ``hangup`` asks for a reload at once, changed or not.
        """
        before: FileId | None = None
        read: FileId | None = None
        while True:
            asked = await _is_set_within(hangup, LOOK_EVERY_S)
            now = _file_id(self._path)
            if asked or (now == before and now != read):
                hangup.clear()
                read = now
                await self._reload(asked=asked)
            before = now

    async def _reload(self, *, asked: bool) -> None:
        text, self._text = self._text, None
        try:
            self._text = read_config(self._path)
            if self._text == text and not asked:
                return
            config = parse_config(self._text, self._path)
            if config.api_key is None and not is_loopback(self._host):
                raise ConfigError((_keyless(self._path, self._host),))
            await self._prepare(config)
            self._publish(config)
            self.in_force = config
        except (ConfigError, OSError) as error:
            problems = [str(problem) for problem in error.problems] if isinstance(error, ConfigError) else [str(error)]
            self._count("refused")
            log.error("config refused; the old one goes on serving", extra={"problems": problems})
            return
        self._count("accepted")
        log.info("config accepted", extra={"file": str(self._path), "warnings": list(map(str, config.warnings))})
        if waiting := needs_restart(self._started_with, config):
            log.warning("changed, but in force only after a restart", extra={"keys": waiting})

    def _publish(self, config: Config) -> None:
        _write(self._runtime.config_file, config.text)

    def _count(self, outcome: str) -> None:
        self._outcomes[outcome] += 1
        self._write_counts()

    def _write_counts(self) -> None:
        _write(self._runtime.reloads_file, json.dumps(self._outcomes))


def needs_restart(started_with: Config, config: Config) -> list[str]:
    """The keys whose new value a running gateway cannot take up."""
    server = [f"server.{field.name}" for field in fields(config.server)]
    keys = [key for key in server if _value(started_with, key) != _value(config, key)]
    if config.state_dir != started_with.state_dir:
        keys.append("state_dir")
    if config.store_url != started_with.store_url:
        keys.append("store.url")
    if config.keys is not None and config.cache.url != started_with.cache.url:
        keys.append("cache.url")  # where the parent meets other replicas, and tells of what was spent
    return keys


def _value(config: Config, key: str) -> object:
    return getattr(config.server, key.removeprefix("server."))


def _keyless(path: Path, host: str) -> Problem:
    fix = "write `api_key: ${WEIGHBRIDGE_API_KEY}`"
    return Problem(str(path), None, ("api_key",), f"missing, and the gateway listens on {host}", fix)


def _file_id(path: Path) -> FileId | None:
    """Of the file that the path leads to now: Kubernetes swaps a symbolic link, editors put a new file in its place."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and for this user only: the text may hold a key."""
    unfinished = path.with_suffix(".new")
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
    unfinished.replace(path)
