"""Where the processes of one gateway meet."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Runtime:
    """``folder`` lives as long as the parent and is short: a Unix socket's path may have at most 107 bytes.

    ``state`` lasts: what a worker has recorded, and the evidence that the next start begins with.
    """

    folder: Path
    state: Path
    alone: bool = False
    """The gateway has one worker only."""

    @property
    def spools(self) -> Path:
        return self.state / "spools"

    @property
    def control_socket(self) -> Path:
        return self.folder / "control.sock"

    @property
    def valkey_socket(self) -> Path:
        return self.folder / "valkey.sock"

    @property
    def evidence_file(self) -> Path:
        return self.state / "evidence.json"

    @property
    def bounds_file(self) -> Path:
        """The bounds of that evidence, by this version's formulas."""
        return self.folder / "bounds.json"

    @property
    def live_file(self) -> Path:
        """What requests take now."""
        return self.folder / "live.json"

    @property
    def keys_file(self) -> Path:
        """The virtual keys' hashes, limits and rights."""
        return self.state / "keys.json"

    @property
    def config_file(self) -> Path:
        """The configuration in force, as the parent accepted it; the user's file may be broken by now."""
        return self.folder / "weighbridge.yaml"

    @property
    def reloads_file(self) -> Path:
        """How many reloads the parent accepted and refused."""
        return self.folder / "reloads.json"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics"
