// The chat templates of a checkpoint as tokenizer.chat_template values: a single one, or several
// named ones. Templates are plain text here; nothing renders or validates them.
#pragma once

#include "checkpoint/checkpoint_folder.h"
#include "model/gguf_writer.h"

namespace infernode {

// Precedence: chat_template.jinja and the folder additional_chat_templates first, as transformers
// does, then chat_template.json, then tokenizer_config.json. Throws Error(kModelCorrupt).
void write_chat_templates(const CheckpointFolder& folder, GgufWriter& header);

}  // namespace infernode
