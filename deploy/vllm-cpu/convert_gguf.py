"""Turn a llama-family GGUF into a directory that vLLM serves: safetensors, config, tokenizer, chat template.

Runs in vLLM's own interpreter, which has torch, gguf and transformers: ``python convert_gguf.py IN.gguf OUT_DIR``.
"""

import re
import sys
from pathlib import Path

import torch
from gguf import GGUFReader, ReaderTensor
from gguf.quants import dequantize
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, LlamaConfig, PreTrainedTokenizerFast

_CONTROL_TOKEN = 3  # llama.cpp's LLAMA_TOKEN_TYPE_CONTROL
_TOP = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


class Gguf:
    """The metadata and tensors of one file."""

    def __init__(self, path: Path) -> None:
        self._reader = GGUFReader(path)
        self.tensors: list[ReaderTensor] = self._reader.tensors

    def __getitem__(self, key: str):  # str, int, float, bool or a list of them: what the file says
        return self._reader.fields[key].contents()

    def __contains__(self, key: str) -> bool:
        return key in self._reader.fields


def model_config(gguf: Gguf) -> LlamaConfig:
    heads = gguf["llama.attention.head_count"]
    return LlamaConfig(
        architectures=["LlamaForCausalLM"],
        vocab_size=gguf["llama.vocab_size"],
        hidden_size=gguf["llama.embedding_length"],
        intermediate_size=gguf["llama.feed_forward_length"],
        num_hidden_layers=gguf["llama.block_count"],
        num_attention_heads=heads,
        num_key_value_heads=gguf["llama.attention.head_count_kv"],
        head_dim=gguf["llama.embedding_length"] // heads,
        max_position_embeddings=gguf["llama.context_length"],
        rms_norm_eps=gguf["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": gguf["llama.rope.freq_base"]},
        tie_word_embeddings=all(tensor.name != "output.weight" for tensor in gguf.tensors),
        bos_token_id=gguf["tokenizer.ggml.bos_token_id"],
        eos_token_id=gguf["tokenizer.ggml.eos_token_id"],
        pad_token_id=gguf["tokenizer.ggml.padding_token_id"],
        dtype="bfloat16",
    )


def state_dict(gguf: Gguf, config: LlamaConfig) -> dict[str, torch.Tensor]:
    """Every tensor by its transformers name, ``(out, in)``, in bfloat16."""
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    state = {}
    for tensor in gguf.tensors:
        weight = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
        block = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", tensor.name)
        if block is None:
            name = _TOP[tensor.name]
        else:
            name = f"model.layers.{block[1]}.{_BLOCK[block[2]]}.weight"
            if block[2] in heads:
                weight = unpermute(weight, heads[block[2]])
        state[name] = weight.to(torch.bfloat16).contiguous()
    return state


def unpermute(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Undo the interleaving of each head's rows that llama.cpp's converter does for its rope."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def tokenizer(gguf: Gguf) -> PreTrainedTokenizerFast:
    """Byte-level BPE; the ``smollm`` pre-tokenizer splits digits first (llama.cpp, LLAMA_VOCAB_PRE_TYPE_SMOLLM)."""
    if gguf["tokenizer.ggml.pre"] != "smollm":
        raise SystemExit(f"no rule for the pre-tokenizer {gguf['tokenizer.ggml.pre']!r}")
    tokens = gguf["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in gguf["tokenizer.ggml.merges"]]
    bpe = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges))
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    kinds = gguf["tokenizer.ggml.token_type"]
    control = [token for token, kind in zip(tokens, kinds, strict=True) if kind == _CONTROL_TOKEN]
    bpe.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in control])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=tokens[gguf["tokenizer.ggml.bos_token_id"]],
        eos_token=tokens[gguf["tokenizer.ggml.eos_token_id"]],
        unk_token=tokens[gguf["tokenizer.ggml.unknown_token_id"]],
        pad_token=tokens[gguf["tokenizer.ggml.padding_token_id"]],
        chat_template=gguf["tokenizer.chat_template"],
        model_max_length=gguf["llama.context_length"],
        clean_up_tokenization_spaces=False,
    )


def main(source: Path, out: Path) -> None:
    gguf = Gguf(source)
    if gguf["general.architecture"] != "llama":
        raise SystemExit(f"{source.name}: architecture {gguf['general.architecture']!r}, only llama is known")
    out.mkdir(parents=True, exist_ok=True)
    config = model_config(gguf)
    save_file(state_dict(gguf, config), out / "model.safetensors", metadata={"format": "pt"})
    config.save_pretrained(out)
    GenerationConfig(eos_token_id=config.eos_token_id, pad_token_id=config.pad_token_id).save_pretrained(out)
    tokenizer(gguf).save_pretrained(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
