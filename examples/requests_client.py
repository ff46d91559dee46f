"""Python with requests: a job of RunPod's API, a chat of OpenAI's, and a stream.

pip install requests
python requests_client.py
"""

import json
import os

import requests

SERVER = os.environ.get("INFERNODE_URL", "http://127.0.0.1:8000")
session = requests.Session()
session.headers["Authorization"] = f"Bearer {os.environ.get('INFERNODE_API_KEY', 'none')}"


def post(path, body, **options):
    response = session.post(SERVER + path, json=body, timeout=300, **options)
    response.raise_for_status()
    return response


job = post("/v2/my-endpoint/runsync", {"input": {"prompt": "Tell me a story."}}).json()
while job["status"] in ("IN_QUEUE", "IN_PROGRESS"):  # it took longer than /runsync waits
    job = session.get(f"{SERVER}/v2/my-endpoint/status-sync/{job['id']}", timeout=300).json()
print("job:", job["status"], job["output"]["generated_text"])

chat = {"messages": [{"role": "user", "content": "Who are you?"}], "max_tokens": 40}
answer = post("/v1/chat/completions", chat).json()
print("chat:", answer["choices"][0]["message"]["content"])

print("stream: ", end="")
with post("/v1/chat/completions", {**chat, "stream": True}, stream=True) as response:
    response.encoding = "utf-8"
    for line in response.iter_lines(decode_unicode=True):
        if not line.startswith("data: ") or line == "data: [DONE]":
            continue
        chunk = json.loads(line.removeprefix("data: "))
        for choice in chunk["choices"]:
            print(choice["delta"].get("content") or "", end="", flush=True)
print()
