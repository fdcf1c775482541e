"""Addresses that a request carries: a model server would follow them from where it stands, inside the house.

Fields by which servers let a request choose where they go are refused. So is media behind an address in the house,
unless the configuration allows its host: an allowed host is trusted with redirects too. A provider outside may be given
other links; a server of ours may not, unless its route says so. Media within the request is always taken.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from gateway.problem import Problem

_CHOOSE_AN_ADDRESS = ("api_base", "base_url", "user_config", "kv_transfer_params", "ec_transfer_params")
"""LiteLLM's, and those by which vLLM is told of another server's cache."""
_SPOKEN_IN = ("messages", "input", "system")
_LINKS = ("image_url", "video_url", "audio_url", "file_url")
_NESTED = ("content", "output")
_ESCAPED = re.compile(rb"\\u00[2-7]")
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_ANY = "*"


def check_addresses(fields: Mapping[str, msgspec.Raw], media_hosts: Sequence[str]) -> bool:
    """Whether the request links to hosts that nobody has allowed. Raises ``Problem`` 400."""
    for name in _CHOOSE_AN_ADDRESS:
        if name in fields:
            message = f"{name} is not taken here: the gateway's configuration says where a request goes"
            raise Problem(400, "address_in_request", message, param=name)
    spoken = [fields[name] for name in _SPOKEN_IN if name in fields and _may_link(bytes(fields[name]))]
    if not spoken:
        return False
    links = _links([msgspec.json.decode(raw) for raw in spoken])
    return True in {_goes_out(kind, url, media_hosts) for kind, url in links}


def _may_link(spoken: bytes) -> bool:
    """A name of such a part is there, or one that is written with escapes. In a text its quotes would be escaped."""
    return b'url"' in spoken or (b"\\u00" in spoken and _ESCAPED.search(spoken) is not None)


def _links(spoken: Any) -> Iterator[tuple[str, str]]:
    """What parts of messages link to, at any depth that content may have. Arguments of tool calls are only text."""
    waiting = [spoken]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            waiting += [part[name] for name in _NESTED if name in part]
            yield from _links_of(part)


def _links_of(part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _LINKS:
        link = part.get(name)
        url = link.get("url") if isinstance(link, dict) else link
        if isinstance(url, str):
            yield name, url
    source = part.get("source")
    if isinstance(source, dict) and isinstance(source.get("url"), str):
        yield "source", source["url"]


def _goes_out(kind: str, url: str, media_hosts: Sequence[str]) -> bool:
    """Whether somebody would have to go there, which nobody has allowed. Raises ``Problem`` 400."""
    if url[:5].lower() == "data:":
        return False
    host = _host(url)
    if host is not None and _allowed(host, media_hosts):
        return False
    if host is None or not _is_public(host):
        where = "this address" if host is None else f"{host[:100]!r}"
        message = f"{kind}: nothing is fetched from {where}; send the data itself, as a data: URL or base64"
        raise Problem(400, "address_not_allowed", f"{message}. `limits.media_hosts` allows hosts.", param=kind)
    return True


def _host(url: str) -> str | None:
    """In lower case; None for what is no plain web address."""
    if _UNSAFE.search(url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    plain = parts.scheme in ("http", "https") and "@" not in parts.netloc
    return host.rstrip(".") or None if plain and host else None


def _allowed(host: str, media_hosts: Sequence[str]) -> bool:
    if host in media_hosts:
        return True
    if any(known.startswith("*.") and host.endswith(known[1:]) for known in media_hosts):
        return True
    return _ANY in media_hosts and _is_public(host)


def _is_public(host: str) -> bool:
    """A name in the web, or an address there. Numbers that only some resolvers take for an address are none."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        top = host.rpartition(".")[2]
        return "." in host and not top.isdigit() and not top.startswith("0x") and top not in _OF_THE_HOUSE


_OF_THE_HOUSE = frozenset(("localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa"))
