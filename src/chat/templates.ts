// Chat templates by name, for models whose file has none: the formats that
// most models were trained on, in Jinja.

const named = {
  /** OpenAI's ChatML: Qwen, Yi, Hermes and many fine-tunes. */
  chatml: [
    "{%- for message in messages -%}",
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}",
    "{%- endfor -%}",
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}",
  ],
  /** Llama 2 and Mistral 7B: [INST] turns, the system text inside the first. */
  llama2: [
    "{%- set ns = namespace(system='') -%}",
    "{%- for message in messages -%}",
    "{%- if message.role == 'system' -%}",
    "{%- set ns.system = '<<SYS>>\\n' + message.content + '\\n<</SYS>>\\n\\n' -%}",
    "{%- elif message.role == 'assistant' -%}",
    "{{- ' ' + message.content + ' ' + eos_token -}}",
    "{%- else -%}",
    "{{- bos_token + '[INST] ' + ns.system + message.content + ' [/INST]' -}}",
    "{%- set ns.system = '' -%}",
    "{%- endif -%}",
    "{%- endfor -%}",
  ],
  /** Llama 3: headers and end-of-turn tokens. */
  llama3: [
    "{{- bos_token -}}",
    "{%- for message in messages -%}",
    "{{- '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' + message.content + '<|eot_id|>' -}}",
    "{%- endfor -%}",
    "{%- if add_generation_prompt -%}",
    "{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}",
    "{%- endif -%}",
  ],
  /** Gemma: turns of user and model; the system text opens the next user turn. */
  gemma: [
    "{{- bos_token -}}",
    "{%- set ns = namespace(system='') -%}",
    "{%- for message in messages -%}",
    "{%- if message.role == 'system' -%}",
    "{%- set ns.system = message.content + '\\n\\n' -%}",
    "{%- elif message.role == 'assistant' -%}",
    "{{- '<start_of_turn>model\\n' + message.content + '<end_of_turn>\\n' -}}",
    "{%- else -%}",
    "{{- '<start_of_turn>user\\n' + ns.system + message.content + '<end_of_turn>\\n' -}}",
    "{%- set ns.system = '' -%}",
    "{%- endif -%}",
    "{%- endfor -%}",
    "{%- if add_generation_prompt -%}{{- '<start_of_turn>model\\n' -}}{%- endif -%}",
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** Names that loadModel's `chatTemplate` takes in place of a template's text. */
export type ChatTemplateName = keyof typeof named;

/** Every name, for messages. */
export const chatTemplateNames = Object.keys(named) as readonly ChatTemplateName[];

/** A template's text, by its name or as it is. */
export function chatTemplateText(given: string): string {
  return Object.hasOwn(named, given) ? named[given as ChatTemplateName].join("") : given;
}
