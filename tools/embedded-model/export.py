"""Writes the trained model as GGUF, once in F32 and once in Q8_0, with a header
that names the model, its licence and how it was made. Needs gguf-py. The norms
stay F32 in both files, as llama.cpp wants them."""

from pathlib import Path

import gguf
import numpy as np
from gguf.quants import quantize

from bpe import BEGIN, END, PRE_TOKENIZER, SPECIALS, Tokenizer
from model import Llama

NAME = "tinytale"
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] not in ['system', 'user', 'assistant'] -%}"
    "{{- raise_exception('roles are system, user and assistant') -}}"
    "{%- endif -%}"
    "{{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}")
LAYER_NAMES = {
    "attention_norm": "attn_norm", "attention.query": "attn_q", "attention.key": "attn_k",
    "attention.value": "attn_v", "attention.output": "attn_output", "feed_norm": "ffn_norm",
    "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down"}


def tensor_name(name: str) -> str:
    """Our name for a weight -> llama.cpp's."""
    if name.startswith("layers."):
        _, layer, rest = name.split(".", 2)
        return f"blk.{layer}.{LAYER_NAMES[rest.removesuffix('.weight')]}.weight"
    return {"embedding.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}[name]


def describe(writer: gguf.GGUFWriter, model: Llama, corpus: str, loss: float) -> None:
    writer.add_name("Tinytale")
    writer.add_author("the infernode authors")
    writer.add_license("mit")
    writer.add_version("1")
    writer.add_description(
        "A tiny storyteller for infernode's tests and demonstrations. Made by tools/embedded-model: "
        f"text written by corpus.mjs (sha256 {corpus}), trained by train.py from random weights to "
        f"a held-out loss of {loss:.4f} nats per token. No other text or model was used.")
    shape = model.shape
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.embedding)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_vocab_size(shape.vocabulary)


def describe_tokens(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list(tokenizer.tokens)
    writer.add_token_types([control if place < len(SPECIALS) else normal for place in range(len(tokenizer.tokens))])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer.merges])
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_eot_token_id(END)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def write_model(path: Path, model: Llama, tokenizer: Tokenizer, kind: gguf.GGMLQuantizationType, **made) -> None:
    file_types = {gguf.GGMLQuantizationType.F32: gguf.LlamaFileType.ALL_F32,
                  gguf.GGMLQuantizationType.Q8_0: gguf.LlamaFileType.MOSTLY_Q8_0}
    partial = path.with_suffix(".partial")  # whoever has the old file mapped keeps it
    writer = gguf.GGUFWriter(partial, "llama")
    describe(writer, model, **made)
    writer.add_file_type(file_types[kind])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    describe_tokens(writer, tokenizer)
    for name, tensor in model.state_dict().items():
        values = tensor.detach().numpy().astype(np.float32)
        packed = values.ndim == 2 and kind != gguf.GGMLQuantizationType.F32
        data = quantize(values, kind) if packed else values
        writer.add_tensor(tensor_name(name), data, raw_dtype=kind if packed else None)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial.replace(path)


def write_models(model: Llama, tokenizer: Tokenizer, folder: Path, corpus: str, loss: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for kind in (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.Q8_0):
        write_model(folder / f"{NAME}-{kind.name.lower()}.gguf", model, tokenizer, kind, corpus=corpus, loss=loss)
