"""How far the store is behind the workers' spools, as a metric."""

from collections.abc import Iterator
from glob import glob
from pathlib import Path

import msgspec
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.ledger.spool import PROGRESS_FILE


class SpoolLag(Collector):
    """Looks at the disk, so that it grows when the parent, which drains the spools, has stopped doing so."""

    def __init__(self, spools: Path) -> None:
        self._spools = spools

    def collect(self) -> Iterator[GaugeMetricFamily]:
        read = self._read()
        lag = 0
        for segment in glob("[!.]*/*.jsonl", root_dir=self._spools):  # noqa: PTH207 (a Path's fails on a folder that goes)
            try:
                lag += max(0, (self._spools / segment).stat().st_size - read.get(segment, 0))
            except FileNotFoundError:
                continue  # drained and gone in this moment
        yield GaugeMetricFamily("weighbridge_spool_lag_bytes", "Ledger events that are not in the store yet", lag)

    def _read(self) -> dict[str, int]:
        try:
            return msgspec.json.decode((self._spools / PROGRESS_FILE).read_bytes(), type=dict[str, int])
        except FileNotFoundError:
            return {}
