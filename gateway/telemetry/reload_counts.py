"""The parent's count of config reloads, as a metric. The parent serves no metrics: it leaves the counts in a file."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector


class ReloadCounts(Collector):
    def __init__(self, file: Path) -> None:
        self._file = file

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(
            "weighbridge_config_reloads", "Reloads of the configuration: accepted or refused", labels=("outcome",)
        )
        for outcome, count in msgspec.json.decode(self._file.read_bytes(), type=dict[str, int]).items():
            family.add_metric((outcome,), count)
        yield family
