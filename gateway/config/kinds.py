"""The sections of a policy that say of which kind it is, and what it has beside that."""

from typing import Annotated

from pydantic import Field

from gateway.config.section import Language, Name, Section, Text, Usd

Share = Annotated[float, Field(gt=0, le=1)]
Parts = Annotated[float, Field(ge=0, le=1_000_000)]


class CanaryGateSection(Section):
    suite: Text = Field(examples=["humaneval+"])
    language: Language | None = Field(default=None, examples=["python"])
    at_least: float | None = Field(default=None, gt=0, lt=1, examples=["0.80"])
    confidence: float = Field(default=0.95, ge=0.5, lt=1, examples=["0.95"])


class CanaryWhileSection(Section):
    pass_at_1: CanaryGateSection = Field(examples=["{suite: humaneval+, at_least: 0.80}"])


class CanarySection(Section):
    stable: Name = Field(examples=["large"])
    candidate: Name = Field(examples=["small"])
    start: Share = Field(default=0.01, examples=["0.01"])
    grow: float = Field(default=2.0, gt=1, le=1000, examples=["2"])
    until: Share = Field(default=1.0, examples=["0.5"])
    every: int = Field(default=20, ge=1, examples=["20"])
    while_: CanaryWhileSection = Field(alias="while", examples=["{pass_at_1: {suite: humaneval+, at_least: 0.80}}"])


class ShadowSection(Section):
    to: Name = Field(examples=["small"])
    share: Share = Field(default=1.0, examples=["0.05"])
    usd_per_day: Usd = Field(examples=["1"])
    at_once: int = Field(default=4, ge=1, le=1000, examples=["4"])


class StickSection(Section):
    margin: float = Field(ge=0, lt=1, examples=["0.05"])
