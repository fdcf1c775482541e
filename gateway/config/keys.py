"""The section `keys`: the admin API's key, the secret of what is stored, and what teams and customers share."""

from dataclasses import dataclass, field

from pydantic import Field

from gateway.config.section import Secret, Section


class KeysSection(Section):
    admin_key: Secret = Field(examples=["${WEIGHBRIDGE_ADMIN_KEY}"])
    secret: Secret = Field(examples=["${WEIGHBRIDGE_KEY_SECRET}"])


@dataclass(frozen=True, slots=True)
class KeySettings:
    """``secret`` is what stored hashes of virtual keys are keyed with; the same on all replicas."""

    admin_key: str = field(repr=False)
    secret: str = field(repr=False)


def key_settings(section: KeysSection | None) -> KeySettings | None:
    if section is None:
        return None
    return KeySettings(section.admin_key.get_secret_value(), section.secret.get_secret_value())
