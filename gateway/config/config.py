"""A valid configuration, as the rest of the gateway uses it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backends.route import Route
from gateway.config.keys import KeySettings
from gateway.config.problem import Problem
from gateway.config.watching import Watch
from gateway.limits import Across, Limits
from policies.policy import Policy


@dataclass(frozen=True, slots=True)
class Server:
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    grace_s: float = 30.0
    """For requests under way when the gateway is told to end."""


@dataclass(frozen=True, slots=True)
class Cache:
    """``url`` is redis://, rediss:// or unix://; None means the embedded Valkey. It may hold a password."""

    enabled: bool = True
    url: str | None = field(default=None, repr=False)
    ttl_s: float = 86_400.0
    max_entry_bytes: int = 1024 * 1024
    wait_s: float = 0.1
    """For Valkey, which is quick or of no use; a request goes on without it."""
    across: Across = "whole"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """``otlp_endpoint`` is a collector's base URL; None leaves it to OTEL_EXPORTER_OTLP_ENDPOINT, and no spans else."""

    otlp_endpoint: str | None = None
    capture_content: bool = False
    request_log: bool = True


@dataclass(frozen=True, slots=True)
class Config:
    """Routes, policies and aliases never share a name. Paths are absolute, or relative to the working directory."""

    path: Path
    text: str = field(repr=False)
    """The file as it was read: whoever else needs this configuration gets it from here, not from a changed file."""
    routes: Mapping[str, Route]
    policies: Mapping[str, Policy]
    aliases: Mapping[str, str]
    """An alias's target is a route or a policy."""
    server: Server
    limits: Limits
    cache: Cache
    telemetry: Telemetry
    watch: Watch | None
    """None: the gateway does not watch itself."""
    state_dir: Path
    sandboxd: Path
    """Where `weighbridge sandboxd` listens, for policies that have answers verified by running them."""
    api_key: str | None = field(repr=False)
    """None: only loopback is served."""
    store_url: str | None = field(default=None, repr=False)
    """Postgres's, which may hold a password; None: SQLite in ``state_dir``."""
    keys: KeySettings | None = None
    keep_days: int | None = None
    """How long requests have rows of their own; None: for ever."""
    """None: there are no virtual keys."""
    warnings: tuple[Problem, ...] = ()
