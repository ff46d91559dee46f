// The chat templates of a checkpoint as tokenizer.chat_template values: one, or several that
// have names. Templates are text here, nobody renders or judges them.
#pragma once

#include "checkpoint/checkpoint_folder.h"
#include "model/gguf_writer.h"

namespace infernode {

// chat_template.jinja and the folder additional_chat_templates come first, as transformers
// reads them, then chat_template.json, then tokenizer_config.json. Throws Error(kModelCorrupt).
void write_chat_templates(const CheckpointFolder& folder, GgufWriter& header);

}  // namespace infernode
