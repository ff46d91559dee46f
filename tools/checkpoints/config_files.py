"""config.json of the generator's checkpoints, and its quantization_config, as makers write them.

Standard library only. Both spellings of the rope base are met: transformers 4 writes
rope_theta, transformers 5 rope_parameters; which one a case has depends on its dense type.
"""

CLASSES = {
    "llama": ("llama", "LlamaForCausalLM"),
    "mistral": ("mistral", "MistralForCausalLM"),
    "qwen2": ("qwen2", "Qwen2ForCausalLM"),
    "qwen3": ("qwen3", "Qwen3ForCausalLM"),
    "gemma3": ("gemma3_text", "Gemma3ForCausalLM"),
    "phi3": ("phi3", "Phi3ForCausalLM"),
}
DTYPES = {"F16": "float16", "BF16": "bfloat16", "F32": "float32"}
SCALINGS = {
    "llama3": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64},
    "linear": {"factor": 4.0},
    "yarn": {"factor": 4.0, "original_max_position_embeddings": 128},
}


def config_of(case, shape, head_size, vocabulary, specials):
    model_type, architecture = CLASSES[case["arch"]]
    config = {
        "architectures": [architecture],
        "model_type": model_type,
        "hidden_size": shape["hidden"],
        "intermediate_size": shape["ffn"],
        "num_hidden_layers": shape["layers"],
        "num_attention_heads": shape["heads"],
        "num_key_value_heads": shape["kv_heads"],
        "head_dim": head_size,
        "vocab_size": vocabulary,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": case["tied"],
        "dtype" if case["dense"] == "F32" else "torch_dtype": DTYPES[case["dense"]],
        **specials,
        **(gemma3(head_size) if case["arch"] == "gemma3" else {"hidden_act": "silu"}),
    }
    if case["arch"] in ("llama", "qwen3"):
        config["attention_bias"] = case["bias"]
    if case["arch"] in ("mistral", "phi3"):
        config["sliding_window"] = None
    if case["arch"] == "phi3":
        config |= {"original_max_position_embeddings": 512, "pad_token_id": 0}
    return config | rope_of(case)


def gemma3(head_size):
    return {
        "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": head_size,
        "sliding_window": 32,
        "layer_types": ["sliding_attention", "full_attention"],
        "final_logit_softcapping": None,
        "attn_logit_softcapping": None,
        "attention_bias": False,
    }


def rope_of(case):
    kind, base = case["rope"], {"llama": 500000.0, "gemma3": 1000000.0}.get(case["arch"], 10000.0)
    scaling = {"rope_type": kind, **SCALINGS[kind]} if kind != "none" else None
    if case["arch"] == "gemma3":
        if case["dense"] == "F32":
            full = {"rope_theta": base, **(scaling or {"rope_type": "default"})}
            local = {"rope_theta": 10000.0, "rope_type": "default"}
            return {"rope_parameters": {"full_attention": full, "sliding_attention": local}}
        return {"rope_theta": base, "rope_local_base_freq": 10000.0, "rope_scaling": scaling}
    if case["dense"] == "F32":
        return {"rope_parameters": {"rope_theta": base, **(scaling or {"rope_type": "default"})}}
    return {"rope_theta": base, "rope_scaling": scaling}


def quantization_of(case):
    form = case["format"]
    if form.startswith("ct-"):
        return compressed(case)
    if form.startswith("gptq"):
        return gptq(case)
    if case["sym"] and form == "awq-gemm":  # auto-round's spelling
        return {"quant_method": "awq", "bits": 4, "group_size": case["group"], "sym": True, "zero_point": False, "packing_format": "auto_awq", "version": "gemm"}
    version = {"awq-gemm": "gemm", "awq-gemv": "GEMV", "awq-gemv-fast": "gemv_fast", "llm-awq": "gemv_fast"}[form]
    config = {
        "quant_method": "awq",
        "bits": 4,
        "group_size": case["group"],
        "zero_point": True,
        "version": version,
        "modules_to_not_convert": None,
    }
    if form == "llm-awq":
        config["backend"] = "llm-awq"
    return config


def gptq(case):
    config = {
        "quant_method": "gptq",
        "bits": 4,
        "group_size": case["group"],
        "sym": case["sym"],
        "desc_act": False,
        "damp_percent": 0.01,
        "true_sequential": True,
    }
    if case["format"] == "gptq-v2":
        config["checkpoint_format"] = "gptq_v2"
    elif case["format"] == "gptq-v1":
        config["checkpoint_format"] = "gptq"
    return config


def compressed(case):
    form, row = case["format"], case["group"] == -1
    weights = {
        "num_bits": 8 if "w8" in form else 4,
        "type": "int",
        "symmetric": case["sym"],
        "strategy": "channel" if row else "group",
        "group_size": None if row else case["group"],
        "block_structure": None,
        "actorder": None,
        "dynamic": False,
        "observer": "minmax",
        "observer_kwargs": {},
    }
    activations = None
    if form == "ct-w8a8":
        activations = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "token", "dynamic": True, "group_size": None, "actorder": None, "block_structure": None, "observer": None, "observer_kwargs": {}}
    kind = "int-quantized" if form == "ct-w8a8" else "pack-quantized"
    group = {"targets": ["Linear"], "weights": weights, "input_activations": activations, "output_activations": None, "format": kind}
    return {
        "quant_method": "compressed-tensors",
        "format": kind,
        "quantization_status": "compressed",
        "config_groups": {"group_0": group},
        "global_compression_ratio": None,
        "ignore": ["lm_head"],
        "kv_cache_scheme": None,
        "sparsity_config": {},
        "transform_config": {},
        "version": "0.12.2",
    }
