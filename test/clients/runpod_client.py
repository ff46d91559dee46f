"""RunPod's package of Python, whose base URL the environment has: prints the name of each use that works."""

import time

import runpod

endpoint = runpod.Endpoint("my-endpoint", api_key="any")
given = {"input": {"prompt": "Tell me a story.", "params": {"max_tokens": 8, "temperature": 0}}}

text = endpoint.run_sync(given, timeout=60)["generated_text"]
assert isinstance(text, str)
print("whole")

job = endpoint.run({"input": {**given["input"], "stream": True}})
assert "".join(part["generated_text"] for part in job.stream()) == text
print("stream")

messages = [{"role": "user", "content": "Tell me a story."}]
job = endpoint.run({"input": {"openai_input": {"messages": messages, "max_tokens": 4000, "ignore_eos": True}}})
while job.status() != "IN_PROGRESS":
    time.sleep(0.01)
assert job.cancel()["status"] == "CANCELLED"
print("left midway")

job = endpoint.run(given)
assert job.output(timeout=60)["generated_text"] == text
assert job.status() == "COMPLETED" and endpoint.health()["jobs"]["completed"] > 0
print("more")
