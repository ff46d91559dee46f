"""OpenVINO GenAI's continuous batching on a GGUF file, speaking the protocol of worker.mjs."""
import json
import sys
import time

import openvino_genai as genai

task = json.loads(sys.argv[-1])
scheduler = genai.SchedulerConfig()
scheduler.cache_size = 2
scheduler.max_num_seqs = task["slots"]
scheduler.max_num_batched_tokens = 512
scheduler.dynamic_split_fuse = True
scheduler.enable_prefix_caching = False
pipeline = genai.ContinuousBatchingPipeline(
    task["model"], scheduler, "CPU", {"INFERENCE_NUM_THREADS": task["threads"]}
)
tokenizer = pipeline.get_tokenizer()


def settings(new_tokens):
    config = genai.GenerationConfig()
    config.max_new_tokens = new_tokens
    config.ignore_eos = True
    config.do_sample = False
    config.apply_chat_template = False
    return config


def answer(prompts, new_tokens):
    """Texts become tokens and tokens texts inside the measured time, as in every other engine."""
    begin = time.perf_counter()
    inputs = [tokenizer.encode(prompt).input_ids for prompt in prompts]
    results = pipeline.generate(inputs, [settings(new_tokens)] * len(prompts))
    tokens = [result.m_generation_ids[0] for result in results]
    texts = [tokenizer.decode(each) for each in tokens]
    wall = (time.perf_counter() - begin) * 1000
    return {
        "wallMs": wall,
        "promptTokens": [int(each.shape[1]) for each in inputs],
        "generatedTokens": [len(each) for each in tokens],
        "texts": texts,
    }


def say(value):
    print(json.dumps(value, separators=(",", ":")), flush=True)


say({"ready": True, "version": genai.__version__})
for line in sys.stdin:
    asked = json.loads(line)
    say(answer(asked["prompts"], asked["newTokens"]))
