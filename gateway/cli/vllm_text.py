"""The arithmetic of a launch, for a person."""

from collections.abc import Sequence
from itertools import groupby

from backends.vllm_fit import BYTES, Gpu, ModelShape, Need, Serving, budget, gib, kv_tokens, least_memory
from gateway.cli.table import columns


def arithmetic(shape: ModelShape, serving: Serving, need: Need) -> list[str]:
    """What one GPU must hold, a line an item; the last line says how large it must be."""
    whole = shape.weight_bytes(serving.dtype, serving.quantization)
    heads = max(1, shape.num_key_value_heads // serving.tensor_parallel)
    token = (
        f"2 x {shape.num_hidden_layers} layers x {heads} of {shape.num_key_value_heads} KV heads x {shape.head_dim}"
        f" x {BYTES[serving.kv_cache_dtype or serving.dtype]} bytes = {need.kv_per_token:,} a token"
    )
    parameters = f"{shape.parameters:,} parameters in {serving.quantization or serving.dtype}"
    rows = [
        ("weights", gib(need.weights), f"{parameters}: {whole / 1e9:.1f} GB over {serving.tensor_parallel} GPU(s)"),
        ("KV cache", gib(need.kv_cache), f"{serving.max_model_len} tokens, one full request; {token}"),
        ("reserve", gib(need.reserve), "CUDA context, NCCL, activations, CUDA graphs"),
    ]
    if need.lora:
        rows.append(("LoRA", gib(need.lora), f"{serving.max_loras} adapter(s) of rank {serving.max_lora_rank}"))
    rows.append(("needed", gib(need.total), f"{_of_all(need, serving)}: {gib(least_memory(need, serving))} or more"))
    return columns(rows, left=(0, 2), indent="  ")


def _of_all(need: Need, serving: Serving) -> str:
    return f"on each of {serving.tensor_parallel} GPU(s), of whose memory vLLM takes {serving.utilisation:.2f}"


def cpu_arithmetic(shape: ModelShape, serving: Serving, need: Need) -> list[str]:
    rows = [
        ("weights", gib(need.weights), f"{shape.parameters:,} parameters in {serving.dtype}"),
        (
            "KV cache",
            gib(need.reserve),
            f"one full request, {serving.max_model_len} tokens, takes {gib(need.kv_cache)}",
        ),
    ]
    return columns(rows, left=(0, 2), indent="  ")


def node_lines(serving: Serving, need: Need, gpus: Sequence[Gpu]) -> list[str]:
    """What is there, equal GPUs in one line."""
    if not gpus:
        return ["  this machine: no GPU"]
    lines = []
    for (name, memory, capability), same in groupby(gpus, lambda gpu: (gpu.name, gpu.memory, gpu.capability)):
        tokens = kv_tokens(need, given := budget(memory, serving))
        lines.append(
            f"  this machine: {len(list(same))} x {name} ({gib(memory)}, compute capability {capability[0]}."
            f"{capability[1]}); x {serving.utilisation:.2f} = {gib(given)}, a KV cache of {tokens:,} tokens"
        )
    return lines
