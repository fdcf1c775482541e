"""What every section of the config file is made of."""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from policies.languages import canonical

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")


# A validator's message is what is wrong, a semicolon, and the fix.
def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} cannot name a model; use letters, digits and . _ : / @ + -, at most 128 in all")
    return text


def _header_safe(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", secret.get_secret_value()):
        raise ValueError("this cannot be sent in a header; use printable ASCII without blanks around it")
    return secret


def listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Name = Annotated[str, AfterValidator(_name)]
Language = Annotated[str, AfterValidator(canonical), Field(min_length=1)]
Secret = Annotated[SecretStr, AfterValidator(_header_safe)]
Words = Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(listed), Field(min_length=1)]
Languages = Annotated[list[Language], BeforeValidator(listed), Field(min_length=1)]
Text = Annotated[str, Field(min_length=1)]
Weight = Annotated[float, Field(gt=0, le=1_000_000)]
Usd = Annotated[Decimal, Field(ge=0, le=1_000_000)]
Seconds = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """Unknown keys are refused, and a key without a value is a key not given."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: object) -> object:
        return (
            {key: value for key, value in values.items() if value is not None} if isinstance(values, dict) else values
        )
