"""``learned:`` of a policy: the model's file, read when the configuration is, and refused where it is not better."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from backends.price import nano
from gateway.config.problem import Location, Report
from gateway.config.section import Section, Text, Usd
from policies.learned import LearnedModel
from policies.learned_model import MOST_BYTES, InvalidModel, decode, refusal


class LearnedSection(Section):
    model: Text = Field(examples=["learned.json"])
    solved_usd: Usd | None = Field(default=None, gt=0, examples=["0.002"])


def of_path(value: object) -> object:
    """``learned: learned.json`` is ``learned: {model: learned.json}``."""
    return {"model": value} if isinstance(value, str) else value


def learned_model(section: LearnedSection, directory: Path) -> LearnedModel:
    """The path is relative to the file's ``directory``. Raises InvalidModel."""
    try:
        with (directory / section.model).open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise InvalidModel(f"{directory / section.model}: {error.strerror}") from error
    file = decode(data)
    worth = file.worth_nanousd if section.solved_usd is None else max(1, nano(section.solved_usd))
    if (why := refusal(file, worth)) is not None:
        raise InvalidModel(why)
    return LearnedModel.of(file, worth, section.model)


def check_learned(at: Location, section: LearnedSection | None, directory: Path) -> Iterator[Report]:
    if section is None:
        return
    try:
        learned_model(section, directory)
    except InvalidModel as error:
        fix = "`weighbridge policy train` makes one, and says what it is worth; or remove `learned`"
        yield (*at, "model"), str(error), fix
