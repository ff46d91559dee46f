// Owning handles (unique_ptr) of llama.cpp's objects. The owner's thread frees the object.
#pragma once

#include <memory>

struct llama_context;
struct llama_model;

namespace infernode {

struct ModelDeleter {
  void operator()(llama_model* model) const;
};
using ModelHandle = std::unique_ptr<llama_model, ModelDeleter>;

struct ContextDeleter {
  void operator()(llama_context* context) const;
};
using ContextHandle = std::unique_ptr<llama_context, ContextDeleter>;

}  // namespace infernode
