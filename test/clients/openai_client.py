"""OpenAI's package of Python against the server at argv[1]: prints the name of each use that works."""

import json
import sys

from openai import OpenAI
from pydantic import BaseModel

client = OpenAI(base_url=sys.argv[1] + "/v1", api_key="any", max_retries=0)
ask = {"model": "my-model", "messages": [{"role": "user", "content": "Tell me a story about a fox."}]}
greedy = {**ask, "max_tokens": 12, "temperature": 0}


class Animal(BaseModel):
    animal: str
    legs: int


whole = client.chat.completions.create(**greedy)
assert whole.usage.completion_tokens > 0
print("whole")

parts = [chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**greedy, stream=True)]
assert "".join(parts) == whole.choices[0].message.content
print("stream")

with client.chat.completions.create(**ask, max_tokens=4000, stream=True, extra_body={"ignore_eos": True}) as stream:
    next(iter(stream))
print("left midway")

parameters = {"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}}, "required": ["city"]}
tools = [{"type": "function", "function": {"name": "weather", "parameters": parameters}}]
called = client.chat.completions.create(
    **ask, tools=tools, tool_choice="required", parallel_tool_calls=False, max_tokens=200
)
assert json.loads(called.choices[0].message.tool_calls[0].function.arguments)["city"] in ("Rome", "Oslo")
print("tools")

schema = {"type": "json_schema", "json_schema": {"name": "animal", "schema": {
    "type": "object",
    "properties": {"animal": {"enum": ["cat", "dog"]}, "legs": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["animal", "legs"],
}}}
made = client.chat.completions.create(**ask, response_format=schema)
assert Animal.model_validate_json(made.choices[0].message.content).animal in ("cat", "dog")
print("JSON by a schema")

assert len(client.embeddings.create(model="my-model", input=["a fox", "a dog"]).data) == 2
print("embeddings")

response = client.responses.create(model="my-model", input="Tell me a story.", max_output_tokens=16)
assert isinstance(response.output_text, str) and client.models.list().data[0].id == "my-model"
print("more")
