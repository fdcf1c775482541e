"""What a request asks of a model beyond text, told by its own fields, whichever wire it came by."""

import re
from collections.abc import Mapping

import msgspec

from backends.route import Capability

_NOTHING = frozenset((b"null", b"[]", b"false", b'""', b"{}"))
_FIELDS: Mapping[str, Capability] = {
    "tools": "tools",
    "functions": "tools",
    "guided_json": "json_schema",
    "logprobs": "logprobs",
    "suffix": "fill_in_the_middle",
}
"""Fields that ask by being there with a value."""
_FORMATS = ("response_format", "text", "output_format", "output_config", "structured_outputs")
_SCHEMA = re.compile(rb'"(json_schema|json)"')
_IMAGE = re.compile(rb'"type"\s*:\s*"(image|image_url|input_image)"')
_NONE: frozenset[Capability] = frozenset()


def needs_of(fields: Mapping[str, msgspec.Raw], body: bytes) -> frozenset[Capability]:
    """``body`` is what ``fields`` were read from. Text about images has escaped quotes, and asks for none."""
    needs: set[Capability] = {
        capability for name, capability in _FIELDS.items() if name in fields and bytes(fields[name]) not in _NOTHING
    }
    if "top_logprobs" in fields and bytes(fields["top_logprobs"]) not in (b"null", b"0"):
        needs.add("logprobs")
    if any(name in fields and _SCHEMA.search(fields[name]) for name in _FORMATS):
        needs.add("json_schema")
    if b"image" in body and _IMAGE.search(body):
        needs.add("vision")
    return frozenset(needs) if needs else _NONE
