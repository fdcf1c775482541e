"""What a decision picks: one model at one revision behind one backend."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from backends.fim import FimTemplate
from backends.price import Price

Residency = Literal["self_hosted", "third_party"]
UnsupportedTools = Literal["pass", "drop", "decline"]
Capability = Literal["tools", "vision", "json_schema", "logprobs", "fill_in_the_middle", "linked_media"]


@dataclass(frozen=True, slots=True)
class Revision:
    """What can change a route's answers. Scorecards and cached answers belong to a revision.

    ``declared`` is the operator's word for it (``revision:`` in the config). ``observed`` is what the servers
    themselves report: engine version, served model and its root.
    """

    declared: str | None = None
    observed: Mapping[str, str] = field(default_factory=dict)
    id: str = field(init=False)
    """Twelve hexadecimal digits; equal for equal contents, on every machine."""

    def __post_init__(self) -> None:
        lines = [f"declared={self.declared or ''}", *(f"{key}={self.observed[key]}" for key in sorted(self.observed))]
        object.__setattr__(self, "id", hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12])


@dataclass(frozen=True, slots=True)
class Route:
    """A route's facts as the operator declared them. Lengths are in tokens."""

    name: str
    backend: str
    model: str
    price: Price
    replicas: tuple[str, ...] = ()
    recording: str | None = None
    """Path of a recording, for the recorded backend."""
    prompts: str | None = None
    """Path of the prompts that belong to the recording's task ids, where the recording itself has none."""
    context_window: int | None = None
    max_output_tokens: int | None = None
    """The longest answer; what a request without a limit gets where the server demands one."""
    licence: str | None = None
    residency: Residency = "third_party"
    open_weights: bool | None = None
    fine_tuning: bool | None = None
    languages: frozenset[str] | None = None
    """Programming languages it may be used for; None means any."""
    capabilities: Mapping[Capability, bool] = field(default_factory=dict)
    """What it can do, and what it cannot; nothing is known of those that are not there."""
    lacks: frozenset[Capability] = field(init=False, repr=False)
    """Those that it cannot."""
    revision: Revision = Revision()
    fim: FimTemplate | None = None
    """How a completion's suffix goes into its prompt; without one it is the server's to understand."""
    affinity: bool = True
    """Where there are several replicas: whether conversations stay where their KV cache is."""
    cache_salt: bool | None = None
    """Whether its servers are told of tenants; None: where they say that they are vLLM."""
    tool_types: frozenset[str] = frozenset(("function",))
    """Types of tools that the server takes; ``unsupported_tools`` says what becomes of others."""
    unsupported_tools: UnsupportedTools = "pass"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent to the upstream with every request; may hold its key, so never shown."""

    def __post_init__(self) -> None:
        lacks = frozenset(name for name, has in self.capabilities.items() if not has)
        object.__setattr__(self, "lacks", lacks)
