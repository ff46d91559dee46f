// Tokenizes prompts between the caller and the engine, on a thread of its own: a long prompt blocks
// neither JavaScript, nor a running step, nor other prompts. It is tokenized in slices; between
// slices other prompts are served and it may be cancelled. Otherwise the order of submission is
// kept. Every prompt accepted here either reaches the engine or ends in the sink. push() and
// close() may be called from any thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "core/engine.h"
#include "core/grammar/grammar_trigger.h"
#include "core/scheduling/mailbox.h"
#include "model/dry_breakers.h"
#include "model/llama_model.h"
#include "model/llama_text_slices.h"
#include "model/prompt_form.h"
#include "model/tokenizing.h"
#include "model/vocabularies.h"

namespace infernode {

// Continues another request, from the state that it has when the engine receives this one.
struct PromptFork {
  RequestId source = 0;
  std::uint64_t seed = 0;
};

struct Prompt {
  RequestId id = 0;
  std::variant<PromptText, std::vector<TokenId>, PromptForm, PromptFork> content;
  GenerateParams params;
  std::string grammar;               // GBNF; "": none
  GrammarTriggers triggers;          // empty: the grammar binds from the first token
  std::vector<std::string> visible;  // control tokens (by text) whose text is part of the answer
  std::vector<std::string> dry_breakers;  // texts across which DRY finds no repetition
  std::vector<std::string> bad_words;     // texts that must not be generated
  bool show_special = false;              // the answer includes the text of every control token
  std::int32_t most_tokens = 0;           // only this many last tokens of the prompt; 0: all
  bool ranks = false;                     // ends with the rank head's scores of the prompt
  std::shared_ptr<RequestControl> control;
};

class PromptQueue {
 public:
  // Engine and sink outlive the queue.
  PromptQueue(std::shared_ptr<const LlamaModel> model, Engine& engine, EventSink& sink);
  ~PromptQueue();
  PromptQueue(const PromptQueue&) = delete;
  PromptQueue& operator=(const PromptQueue&) = delete;

  void push(Prompt prompt);
  // Ends waiting prompts as cancelled and joins the thread. Idempotent; one caller at a time.
  void close();

 private:
  // A prompt whose slices are not all tokenized, or a fork of a request.
  struct Pending {
    Prompt prompt;
    std::unique_ptr<Tokenizing> work;
  };

  void run();
  void take(Prompt prompt);
  [[nodiscard]] bool end_if_cancelled(const Prompt& prompt);
  [[nodiscard]] std::unique_ptr<Tokenizing> tokenizing_of(Prompt& prompt) const;
  void tokenize_slice();
  [[nodiscard]] bool advance(Pending& pending);
  void submit_or_refuse(Prompt prompt, std::vector<TokenId> tokens);
  [[nodiscard]] std::optional<Failure> submit(Prompt prompt, std::vector<TokenId> tokens);
  template <typename Work>
  void end_if_it_fails(RequestId id, const Work& work);
  void bind(Prompt& prompt);
  void forbid(Prompt& prompt) const;
  void refuse(RequestId id, const Failure& failure) noexcept;
  void end(RequestId id, FinishReason reason, const Failure* failure) noexcept;

  std::shared_ptr<const LlamaModel> model_;
  Engine& engine_;
  EventSink& sink_;
  const TextSlices slices_;
  DryBreakerLists dry_breakers_;
  Vocabularies vocabularies_;
  std::deque<Pending> pending_;  // in order
  Mailbox<Prompt> mailbox_;
  std::thread thread_;
};

}  // namespace infernode
