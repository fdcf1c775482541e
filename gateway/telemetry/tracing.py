"""Tracing as a whole: a tracer and the exporter that it writes to. Importing this loads OpenTelemetry's SDK."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from gateway.telemetry import names
from gateway.telemetry.otlp import OtlpExporter
from gateway.telemetry.otlp_settings import OtlpSettings
from gateway.telemetry.tracer import Tracer

_SERVICE = "weighbridge"


class Tracing:
    """The SDK reads the sampler and the resource from its standard environment variables."""

    def __init__(self, settings: OtlpSettings, count: Callable[[str, int], None], *, capture_content: bool) -> None:
        provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._exporter = OtlpExporter(settings, provider.resource.attributes, version(_SERVICE), count)
        self.tracer = Tracer(provider, self._exporter.new_span, capture_content=capture_content)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._exporter.running():
            yield


def _resource() -> Resource:
    """What the environment says, and our name where it names no service."""
    found = Resource.create()
    if str(found.attributes.get(names.SERVICE_NAME, "")).startswith("unknown_service"):
        found = found.merge(Resource({names.SERVICE_NAME: _SERVICE, names.SERVICE_VERSION: version(_SERVICE)}))
    return found
