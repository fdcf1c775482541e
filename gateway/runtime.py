"""Where the processes of one gateway meet: a private folder that lives as long as the parent."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Runtime:
    """``folder`` is short: a Unix socket's path may have at most 107 bytes. Spools outlive the parent."""

    folder: Path
    spools: Path

    @property
    def control_socket(self) -> Path:
        return self.folder / "control.sock"

    @property
    def valkey_socket(self) -> Path:
        return self.folder / "valkey.sock"

    @property
    def evidence_file(self) -> Path:
        return self.folder / "evidence.json"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics"
