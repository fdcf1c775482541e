"""Where a server is, and how a request to it begins."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

_FORBIDDEN = str.maketrans({"\r": None, "\n": None, "\0": None})


@dataclass(frozen=True)
class Origin:
    """A server's address, read once. ``base`` is what stands before every path."""

    secure: bool
    host: str
    port: int
    base: str
    authority: str

    @classmethod
    def of(cls, url: str) -> "Origin":
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        authority = parts.netloc.rpartition("@")[2]
        return cls(secure, parts.hostname or "", parts.port or (443 if secure else 80), parts.path, authority)

    @cached_property
    def key(self) -> tuple[bool, str, int]:
        return self.secure, self.host, self.port

    def head(self, method: str, path: str, headers: Mapping[str, str], length: int) -> bytes:
        """A request's head; ``length`` is its body's. What would end a line is left out of names and values."""
        lines = [f"{method} {self.base}{path} HTTP/1.1", f"host: {self.authority}", "accept-encoding: identity"]
        lines += [f"{name}: {value}".translate(_FORBIDDEN) for name, value in headers.items()]
        if length or method == "POST":
            lines.append(f"content-length: {length}")
        return "\r\n".join((*lines, "", "")).encode("latin-1", "replace")
