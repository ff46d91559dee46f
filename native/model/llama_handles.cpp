#include "model/llama_handles.h"

#include "llama.h"

namespace infernode {

void ModelDeleter::operator()(llama_model* model) const { llama_model_free(model); }

void ContextDeleter::operator()(llama_context* context) const { llama_free(context); }

}  // namespace infernode
