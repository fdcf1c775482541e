"""Does a model fit a node? The arithmetic that vLLM does at its start, done before: weights, reserve, KV cache.

A tensor-parallel vLLM takes ``utilisation`` of every GPU's memory. Weights and a reserve go off; the rest is KV cache,
which must hold one request of the full length, or vLLM ends after minutes of loading. Memory is in bytes throughout.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

GIB = 1024**3

BYTES = {"bfloat16": 2, "float16": 2, "fp8": 1}
"""Of one number."""

LEAST_CAPABILITY = {"bfloat16": (8, 0), "float16": (7, 5)}
"""CUDA's compute capability; 8.0 is Ampere (A100)."""

GPU_RESERVE = 5 * GIB
"""Our allowance per GPU for what vLLM measures only at its start: CUDA context, NCCL and graphs, activations of the
largest batch. vLLM's pull request 10511 shows 3.58 + 1.26 GiB with two GPUs of 80 GB."""

LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM accepts as `--max-lora-rank`."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What a decoder of the Llama family (Mixtral: with experts) is made of; the words are its config.json's."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    max_position_embeddings: int
    num_local_experts: int = 1
    tie_word_embeddings: bool = False

    @property
    def parameters(self) -> int:
        norms = 2 * self.hidden_size
        router = self.hidden_size * self.num_local_experts if self.num_local_experts > 1 else 0
        linear = sum(rows * columns for rows, columns in self._linear_layers)
        return self.num_hidden_layers * (linear + router + norms) + self.hidden_size + self._embeddings

    @property
    def kv_numbers_per_token(self) -> int:
        """A key and a value for every KV head of every layer."""
        return 2 * self.num_hidden_layers * self.num_key_value_heads * self.head_dim

    def weight_bytes(self, dtype: str, quantization: str | None) -> int:
        """Quantised are the linear layers; embeddings, norms and the router of experts stay as they are."""
        linear = self.num_hidden_layers * sum(rows * columns for rows, columns in self._linear_layers)
        return linear * BYTES[quantization or dtype] + (self.parameters - linear) * BYTES[dtype]

    def lora_bytes(self, rank: int, dtype: str) -> int:
        """One adapter over all linear layers: an (in x rank) and a (rank x out) matrix for each."""
        return self.num_hidden_layers * sum(rank * sum(shape) for shape in self._linear_layers) * BYTES[dtype]

    @property
    def _linear_layers(self) -> list[tuple[int, int]]:
        """(in, out) of one layer: query, key, value, output; gate, up, down of every expert."""
        query = self.num_attention_heads * self.head_dim
        key = self.num_key_value_heads * self.head_dim
        attention = [(self.hidden_size, query), (self.hidden_size, key), (self.hidden_size, key)]
        expert = [(self.hidden_size, self.intermediate_size)] * 2 + [(self.intermediate_size, self.hidden_size)]
        return [*attention, (query, self.hidden_size), *expert * self.num_local_experts]

    @property
    def _embeddings(self) -> int:
        return self.vocab_size * self.hidden_size * (1 if self.tie_word_embeddings else 2)


@dataclass(frozen=True, slots=True)
class Serving:
    """How vLLM is told to serve a model. ``kv_cache_dtype`` None: as ``dtype``. LoRA: slots, and the largest rank."""

    max_model_len: int
    tensor_parallel: int = 1
    utilisation: float = 0.9
    dtype: str = "bfloat16"
    quantization: str | None = None
    kv_cache_dtype: str | None = None
    max_loras: int = 0
    max_lora_rank: int = 16


@dataclass(frozen=True, slots=True)
class Gpu:
    """As torch sees it; ``capability`` is CUDA's (major, minor)."""

    name: str
    memory: int
    free: int
    capability: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Need:
    """Of one GPU out of ``tensor_parallel``; of the machine's memory where a CPU serves."""

    weights: int
    lora: int
    reserve: int
    kv_per_token: int
    kv_cache: int
    """One request of the full length."""

    @property
    def total(self) -> int:
        return self.weights + self.lora + self.reserve + self.kv_cache


def need_of(shape: ModelShape, serving: Serving, reserve: int = GPU_RESERVE) -> Need:
    """Weights and KV heads are dealt out evenly; adapters are counted whole on every GPU, an upper bound."""
    gpus = serving.tensor_parallel
    # With more GPUs than KV heads vLLM keeps one head on each, several times the same.
    numbers = shape.kv_numbers_per_token // min(gpus, shape.num_key_value_heads)
    per_token = numbers * BYTES[serving.kv_cache_dtype or serving.dtype]
    return Need(
        weights=-(-shape.weight_bytes(serving.dtype, serving.quantization) // gpus),
        lora=serving.max_loras * shape.lora_bytes(serving.max_lora_rank, serving.dtype),
        reserve=reserve,
        kv_per_token=per_token,
        kv_cache=per_token * serving.max_model_len,
    )


def budget(memory: int, serving: Serving) -> int:
    """What vLLM takes of a GPU."""
    return int(memory * serving.utilisation)


def kv_tokens(need: Need, available: int) -> int:
    """How many tokens the KV cache holds where a GPU gives ``available`` to vLLM; none when the weights do not fit."""
    return max(0, available - need.weights - need.lora - need.reserve) // need.kv_per_token


def least_memory(need: Need, serving: Serving) -> int:
    """Of one GPU, so that everything fits."""
    return -int(-need.total // serving.utilisation)


def refusals(shape: ModelShape, serving: Serving, gpus: Sequence[Gpu]) -> list[str]:
    """Why vLLM could not serve this here, a sentence each; empty when it can."""
    found = [*_model_refusals(shape, serving)]
    wanted = serving.tensor_parallel
    if len(gpus) < wanted:
        found.append(f"tensor parallel {wanted} needs {wanted} GPUs, and there {_count(len(gpus))}")
        if gpus:  # what fewer GPUs would have to hold
            serving = replace(serving, tensor_parallel=len(gpus))
    for index, gpu in enumerate(gpus[:wanted]):
        found += [f"GPU {index} ({gpu.name}): {reason}" for reason in _gpu_refusals(shape, serving, gpu)]
    return found


def _model_refusals(shape: ModelShape, serving: Serving) -> list[str]:
    found = []
    if serving.max_model_len > shape.max_position_embeddings:
        found.append(f"max-model-len {serving.max_model_len} is beyond the model's {shape.max_position_embeddings}")
    if shape.num_attention_heads % serving.tensor_parallel:
        found.append(f"{shape.num_attention_heads} heads cannot be dealt out to {serving.tensor_parallel} GPUs")
    return found


def _gpu_refusals(shape: ModelShape, serving: Serving, gpu: Gpu) -> list[str]:
    found = []
    least = LEAST_CAPABILITY[serving.dtype]
    if gpu.capability < least:
        found.append(f"{serving.dtype} needs compute capability {_dotted(least)}, and it has {_dotted(gpu.capability)}")
    need, available = need_of(shape, serving), budget(gpu.memory, serving)
    if need.total > available:
        short = gib(need.total - available)
        parts = f"weights {gib(need.weights)} + KV cache {gib(need.kv_cache)} + reserve {gib(need.reserve + need.lora)}"
        given = f"{gib(gpu.memory)} x {serving.utilisation:.2f} = {gib(available)}"
        found.append(
            f"{parts} = {gib(need.total)} with tensor parallel {serving.tensor_parallel}; {given}: {short} short"
        )
    elif gpu.free < available:
        found.append(f"only {gib(gpu.free)} of {gib(gpu.memory)} are free, and vLLM takes {gib(available)}")
    return found


def gib(size: int) -> str:
    return f"{size / GIB:.2f} GiB"


def _count(gpus: int) -> str:
    return {0: "is none", 1: "is 1"}.get(gpus, f"are {gpus}")


def _dotted(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))
