"""The arithmetic of a launch, against published sizes and numbers worked out by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.vllm_fit import (
    GIB,
    GPU_RESERVE,
    Gpu,
    ModelShape,
    Serving,
    budget,
    kv_tokens,
    least_memory,
    need_of,
    refusals,
)

LLAMA = ModelShape(8192, 28672, 80, 64, 8, 128, 128256, 131072)
MIXTRAL = ModelShape(6144, 16384, 56, 48, 8, 128, 32768, 65536, num_local_experts=8)
SMOLLM = ModelShape(576, 1536, 30, 9, 3, 64, 49152, 8192, tie_word_embeddings=True)
LLAMA_128K = Serving(128000, tensor_parallel=4)
MIXTRAL_64K = Serving(64000, tensor_parallel=4)


def a100(memory_gib: float = 79.15, capability: tuple[int, int] = (8, 0), used_gib: float = 0.5) -> Gpu:
    memory = int(memory_gib * GIB)
    return Gpu("NVIDIA A100-SXM4-80GB", memory, memory - int(used_gib * GIB), capability)


@pytest.mark.parametrize(
    ("shape", "published"), [(LLAMA, 70_553_706_496), (MIXTRAL, 140_630_071_296), (SMOLLM, 134_515_008)]
)
def test_parameters_are_as_published(shape: ModelShape, published: int) -> None:
    assert shape.parameters == published


def test_mixtral_in_bfloat16_is_281_gb() -> None:
    assert MIXTRAL.weight_bytes("bfloat16", None) == 281_260_142_592


def test_quantised_weights_are_half_but_for_embeddings_norms_and_router() -> None:
    kept = 2 * 32768 * 6144 + 56 * (2 * 6144 + 8 * 6144) + 6144
    assert MIXTRAL.weight_bytes("bfloat16", "fp8") == (140_630_071_296 - kept) + 2 * kept


def test_a_token_takes_320_kib_in_llama_and_224_kib_in_mixtral() -> None:
    assert need_of(LLAMA, Serving(1)).kv_per_token == 320 * 1024
    assert need_of(MIXTRAL, Serving(1)).kv_per_token == 224 * 1024


def test_four_gpus_share_weights_and_kv_cache_but_not_the_reserve() -> None:
    need = need_of(LLAMA, LLAMA_128K)
    assert need.weights == 141_107_412_992 // 4
    assert need.kv_cache == 128000 * 80 * 1024
    assert need.reserve == GPU_RESERVE
    assert need.total == need.weights + need.kv_cache + need.reserve


def test_a_kv_cache_of_one_byte_numbers_is_half() -> None:
    assert need_of(LLAMA, replace(LLAMA_128K, kv_cache_dtype="fp8")).kv_cache == 64000 * 80 * 1024


def test_more_gpus_than_kv_heads_share_no_further() -> None:
    eight, sixteen = (need_of(LLAMA, Serving(1000, tensor_parallel=gpus)).kv_cache for gpus in (8, 16))
    assert eight == sixteen


def test_an_adapter_of_rank_16_takes_half_a_gib_of_every_gpu() -> None:
    """Per layer (in + out): query, output 2 x 16384, key, value 2 x 9216, gate, up, down 3 x 36864."""
    need = need_of(LLAMA, replace(LLAMA_128K, max_loras=1, max_lora_rank=16))
    assert need.lora == 80 * 16 * (2 * 16384 + 2 * 9216 + 3 * 36864) * 2
    assert need_of(LLAMA, replace(LLAMA_128K, max_loras=3, max_lora_rank=16)).lora == 3 * need.lora


def test_llama_with_128k_fits_four_a100_80gb() -> None:
    assert refusals(LLAMA, LLAMA_128K, [a100()] * 4) == []
    assert kv_tokens(need_of(LLAMA, LLAMA_128K), budget(a100().memory, LLAMA_128K)) > 3 * 128000


@pytest.mark.parametrize(("utilisation", "fits"), [(0.90, False), (0.92, False), (0.95, True)])
def test_mixtral_with_64k_needs_more_than_vllms_default_of_four_a100_80gb(utilisation: float, fits: bool) -> None:
    assert (refusals(MIXTRAL, replace(MIXTRAL_64K, utilisation=utilisation), [a100()] * 4) == []) is fits


def test_mixtral_quantised_fits_at_the_default() -> None:
    assert refusals(MIXTRAL, replace(MIXTRAL_64K, quantization="fp8"), [a100()] * 4) == []


def test_40_gb_are_refused_with_every_number() -> None:
    reasons = refusals(LLAMA, LLAMA_128K, [a100(39.39)] * 4)
    assert len(reasons) == 4
    assert "weights 32.85 GiB + KV cache 9.77 GiB + reserve 5.00 GiB = 47.62 GiB with tensor parallel 4" in reasons[0]
    assert "39.39 GiB x 0.90 = 35.45 GiB: 12.17 GiB short" in reasons[0]


def test_two_gpus_are_too_few_and_are_told_what_they_would_have_to_hold() -> None:
    count, *memory = refusals(LLAMA, LLAMA_128K, [a100()] * 2)
    assert count == "tensor parallel 4 needs 4 GPUs, and there are 2"
    assert len(memory) == 2
    assert "weights 65.71 GiB + KV cache 19.53 GiB" in memory[0]


def test_no_gpu_is_refused() -> None:
    assert refusals(LLAMA, LLAMA_128K, []) == ["tensor parallel 4 needs 4 GPUs, and there is none"]


def test_volta_cannot_compute_in_bfloat16() -> None:
    (reason, *_) = refusals(LLAMA, LLAMA_128K, [a100(capability=(7, 0))] * 4)
    assert "bfloat16 needs compute capability 8.0, and it has 7.0" in reason


def test_memory_that_another_process_holds_is_missed() -> None:
    (reason,) = refusals(LLAMA, LLAMA_128K, [a100(), a100(used_gib=20), a100(), a100()])
    assert reason.startswith("GPU 1 ")
    assert "only 59.15 GiB of 79.15 GiB are free, and vLLM takes 71.2" in reason


def test_gpus_beyond_those_that_serve_do_not_matter() -> None:
    assert refusals(LLAMA, LLAMA_128K, [*[a100()] * 4, a100(8)]) == []


def test_a_context_beyond_the_models_is_refused() -> None:
    assert "131072" in refusals(LLAMA, replace(LLAMA_128K, max_model_len=131073), [a100(400)] * 4)[0]


def test_heads_that_cannot_be_dealt_out_are_refused() -> None:
    assert "64 heads cannot be dealt out to 3 GPUs" in refusals(LLAMA, Serving(1000, 3), [a100(400)] * 3)


@given(
    tokens=st.integers(1, 131072),
    gpus=st.sampled_from([1, 2, 4, 8]),
    utilisation=st.floats(0.1, 1),
    memory=st.integers(GIB, 400 * GIB),
)
def test_it_fits_exactly_when_the_cache_holds_a_full_request(
    tokens: int, gpus: int, utilisation: float, memory: int
) -> None:
    serving = Serving(tokens, gpus, utilisation)
    need = need_of(LLAMA, serving)
    fits = not refusals(LLAMA, serving, [Gpu("G", memory, memory, (9, 0))] * gpus)
    assert fits == (need.total <= budget(memory, serving))
    if fits:
        assert kv_tokens(need, budget(memory, serving)) >= tokens


@given(utilisation=st.floats(0.1, 1))
def test_the_least_memory_is_enough(utilisation: float) -> None:
    serving = replace(LLAMA_128K, utilisation=utilisation)
    need = need_of(LLAMA, serving)
    assert budget(least_memory(need, serving) + 1, serving) >= need.total - 1
