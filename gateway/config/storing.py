"""The section `store`: where ledger, scorecards and keys are kept."""

from collections.abc import Iterator
from importlib.util import find_spec
from urllib.parse import urlsplit

from pydantic import Field

from gateway.config.problem import Report
from gateway.config.section import Secret, Section

_LIKE = "write it like `postgresql://user:password@host:5432/name`, the password percent-encoded"


class StoreSection(Section):
    url: Secret | None = Field(default=None, examples=["${WEIGHBRIDGE_STORE_URL}"])


def store_url(section: StoreSection) -> str | None:
    """Postgres's; None: SQLite in the state folder."""
    return section.url.get_secret_value() if section.url is not None else None


def check_store(section: StoreSection) -> Iterator[Report]:
    """What is wrong is said without the address, which may hold a password."""
    url = store_url(section)
    if url is None:
        return
    at = ("store", "url")
    if (fault := _fault(url)) is not None:
        yield at, fault, _LIKE
    elif find_spec("psycopg") is None:
        yield at, "Postgres needs psycopg, which is not installed", "install the extra `weighbridge[postgres]`"


def _fault(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("postgresql", "postgres") and parts.port != 0 and not parts.fragment
    except ValueError:
        return "not the address of a Postgres"
    if not usable:
        return "not the address of a Postgres"
    return None if len(parts.path) > 1 else "names no database"
