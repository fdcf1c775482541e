"""A request's ``Cache-Control``, as far as a shared cache of answers can obey it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CacheControl:
    """``read``: a stored answer or a flight under way may be used. ``write``: the answer may be stored."""

    read: bool = True
    write: bool = True
    max_age_s: float | None = None

    @classmethod
    def parse(cls, header: str | None) -> "CacheControl":
        """Directives it does not know, or that make no sense, are passed over, as RFC 9111 asks."""
        if not header:
            return _DEFAULT
        directives = {}
        for part in header.lower().split(","):
            name, _, value = part.strip().partition("=")
            directives[name] = value.strip('"')
        no_store = "no-store" in directives
        return cls(
            read=not no_store and "no-cache" not in directives,
            write=not no_store,
            max_age_s=float(age) if (age := directives.get("max-age", "")).isdigit() else None,
        )

    @property
    def bypass(self) -> bool:
        return not self.read and not self.write


_DEFAULT = CacheControl()
