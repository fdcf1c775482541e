"""Where spans and events go, how many at a time: our config, else OpenTelemetry's standard environment variables."""

import logging
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote, urlsplit

log = logging.getLogger("weighbridge.telemetry")

Signal = Literal["TRACES", "LOGS"]
"""As the variables' names have it."""

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """``url`` takes spans, or log records, by POST. Times are seconds, sizes spans."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 10.0
    gzip: bool = False
    tls: ssl.SSLContext | None = None
    every_s: float = 5.0
    batch: int = 512
    queue: int = 2048

    @property
    def shown(self) -> str:
        """The address without what may be secret in it."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


def otlp_settings(endpoint: str | None, env: Mapping[str, str], signal: Signal = "TRACES") -> OtlpSettings | None:
    """None: none are sent. ``endpoint`` is a collector's base URL and goes before the environment's."""
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or env.get(f"OTEL_{signal}_EXPORTER") == "none":
        return None
    url = _url(endpoint, env, signal)
    if url is None:
        return None
    if not _is_http(url):
        log.error("no spans are sent: the OTLP endpoint is not an http address; write it like http://127.0.0.1:4318")
        return None
    try:
        tls = _tls(env, signal)
    except OSError as error:
        log.error("no spans are sent: a certificate for OTLP cannot be used", extra={"reason": str(error)})
        return None
    protocol = _of("PROTOCOL", env, signal)
    if protocol not in (None, "http/protobuf"):
        log.warning("spans are sent as http/protobuf, the only protocol that is spoken", extra={"asked": protocol})
    return OtlpSettings(
        url,
        _headers(_of("HEADERS", env, signal) or ""),
        timeout_s=_number("OTEL_EXPORTER_OTLP_TIMEOUT", _of("TIMEOUT", env, signal), 10.0),
        gzip=_of("COMPRESSION", env, signal) == "gzip",
        tls=tls,
        every_s=_number("OTEL_BSP_SCHEDULE_DELAY", env.get("OTEL_BSP_SCHEDULE_DELAY"), 5000.0) / 1000,
        batch=int(_number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", env.get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"), 512)),
        queue=int(_number("OTEL_BSP_MAX_QUEUE_SIZE", env.get("OTEL_BSP_MAX_QUEUE_SIZE"), 2048)),
    )


def _url(endpoint: str | None, env: Mapping[str, str], signal: Signal) -> str | None:
    """The signal's own variable holds a whole address; the common one, and our config, a base."""
    if endpoint is None and (whole := env.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")):
        return whole
    base = endpoint or env.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    return f"{base.rstrip('/')}/v1/{signal.lower()}" if base else None


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _of(name: str, env: Mapping[str, str], signal: Signal) -> str | None:
    value = env.get(f"OTEL_EXPORTER_OTLP_{signal}_{name}") or env.get(f"OTEL_EXPORTER_OTLP_{name}") or ""
    return value.strip() or None


def _headers(text: str) -> dict[str, str]:
    """``name=value,name=value``, the values percent-encoded. Values are secrets: what is wrong is said without them."""
    headers = {}
    for pair in filter(str.strip, text.split(",")):
        name, _, value = (part.strip() for part in pair.partition("="))
        value = unquote(value)
        if _HEADER.fullmatch(name) and _HEADER_VALUE.fullmatch(value):
            headers[name.lower()] = value
        else:
            log.warning("a header in OTEL_EXPORTER_OTLP_HEADERS cannot be sent and is left out")
    return headers


def _number(name: str, text: str | None, default: float) -> float:
    try:
        number = float(text) if text else default
    except ValueError:
        number = 0.0
    if number > 0:
        return number
    log.warning("not a number above 0; the default counts", extra={"variable": name, "default": default})
    return default


def _tls(env: Mapping[str, str], signal: Signal) -> ssl.SSLContext | None:
    """Raises ``OSError`` when a file that is named cannot be used."""
    authority, certificate = _of("CERTIFICATE", env, signal), _of("CLIENT_CERTIFICATE", env, signal)
    if authority is None and certificate is None:
        return None
    context = ssl.create_default_context(cafile=authority)
    if certificate is not None:
        context.load_cert_chain(certificate, _of("CLIENT_KEY", env, signal))
    return context
