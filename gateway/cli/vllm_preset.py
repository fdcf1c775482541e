"""Presets: a model, how vLLM serves it, and the route that it becomes. Files of deploy/presets, or of the user."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backends.vllm_fit import LORA_RANKS, ModelShape, Serving
from gateway.cli.failure import ConfigFailure
from gateway.config.names import did_you_mean
from gateway.config.schema import RouteSection

_FOLDER = Path(__file__).parents[2] / "deploy" / "presets"  # beside the packages, in a clone and in the wheel
_DEFAULT_RANK = 16


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Lora(_Part):
    """An adapter, served as a model of its own. ``rank`` is read from its adapter_config.json where that is here."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    path: str = Field(min_length=1)
    rank: int | None = Field(default=None, ge=1, le=LORA_RANKS[-1])

    @property
    def known_rank(self) -> int:
        if self.rank is not None:
            return self.rank
        try:
            return int(json.loads((Path(self.path) / "adapter_config.json").read_bytes())["r"])
        except (OSError, ValueError, LookupError, TypeError):
            return _DEFAULT_RANK


class Serve(_Part):
    max_model_len: int = Field(ge=1)
    tensor_parallel: int = Field(default=1, ge=1)
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.9
    dtype: Literal["bfloat16", "float16"] = "bfloat16"
    quantization: Literal["fp8"] | None = None
    kv_cache_dtype: Literal["fp8"] | None = None
    flags: tuple[str, ...] = ()


class Preset(_Part):
    model: str
    device: Literal["gpu", "cpu"] = "gpu"
    config: ModelShape
    serve: Serve
    lora: tuple[Lora, ...] = ()
    why: str
    route: dict[str, Any]

    @property
    def serving(self) -> Serving:
        ranks = [lora.known_rank for lora in self.lora]
        return Serving(
            max_model_len=self.serve.max_model_len,
            tensor_parallel=self.serve.tensor_parallel,
            utilisation=self.serve.gpu_memory_utilization,
            dtype=self.serve.dtype,
            quantization=self.serve.quantization,
            kv_cache_dtype=self.serve.kv_cache_dtype,
            max_loras=len(ranks),
            max_lora_rank=next((rank for rank in LORA_RANKS if rank >= max(ranks)), LORA_RANKS[-1]) if ranks else 16,
        )

    def routes(self, name: str, url: str, *, with_key: bool) -> dict[str, dict[str, Any]]:
        """What the gateway's configuration needs: the model's route, and one for each adapter."""
        own = {"context_window": self.serve.max_model_len, **self.route}
        if with_key:
            own["api_key"] = "${VLLM_API_KEY}"
        routes = {name: {"backend": "vllm", "model": self.model, "replicas": [url], **own}}
        for lora in self.lora:
            changed = {"model": lora.name, "revision": f"{own.get('revision', 'base')}+{lora.name}"}
            routes[lora.name] = deepcopy({**routes[name], **changed})  # shared parts would be YAML's aliases
        return routes


def preset_names() -> list[str]:
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_preset(name: str) -> Preset:
    """The preset of that name, or in the file of that name. Raises ConfigFailure."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else _FOLDER / f"{name}.yaml"
    if not path.is_file():
        near = did_you_mean(name, preset_names())
        raise ConfigFailure(f"no preset is named {name!r}, and no .yaml file; {near}")
    try:
        preset = Preset.model_validate(yaml.safe_load(path.read_bytes()))
        for route in preset.routes("preset", "http://127.0.0.1:8000", with_key=False).values():
            RouteSection.model_validate(route)
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigFailure(f"{path}: {error}") from error
    return preset
