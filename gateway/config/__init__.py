"""The configuration file: its shape, its checks, and the typed result."""

from gateway.config.checks import is_loopback
from gateway.config.config import Cache, Config, Server
from gateway.config.load import load_config, parse_config, read_config
from gateway.config.problem import ConfigError, Problem

__all__ = [
    "Cache",
    "Config",
    "ConfigError",
    "Problem",
    "Server",
    "is_loopback",
    "load_config",
    "parse_config",
    "read_config",
]
