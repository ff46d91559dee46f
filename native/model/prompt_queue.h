// Turns prompts into tokens between the caller and the engine, on a thread of
// its own: a long prompt stalls neither JavaScript nor a running step. Keeps
// the order of submission. Every prompt accepted here either reaches the
// engine or ends in the sink.
// push() and close() may be called from any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "core/engine.h"
#include "core/grammar_trigger.h"
#include "core/mailbox.h"
#include "model/dry_breakers.h"
#include "model/llama_model.h"
#include "model/prompt_form.h"
#include "model/vocabularies.h"

namespace infernode {

struct PromptText {
  std::string text;
  bool add_special = true;
  bool parse_special = false;
};

// What another request has come to when the engine hears of this one.
struct PromptFork {
  RequestId source = 0;
  std::uint64_t seed = 0;
};

struct Prompt {
  RequestId id = 0;
  std::variant<PromptText, std::vector<TokenId>, PromptForm, PromptFork> content;
  GenerateParams params;
  std::string grammar;                    // GBNF; "": none
  GrammarTriggers triggers;               // no words: it binds at once
  std::vector<std::string> visible;       // texts of control tokens that count as text
  std::vector<std::string> dry_breakers;  // texts over which DRY follows no passage
  bool ranks = false;                     // ends with the model's scores of it
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
  // Ends what still waits as cancelled and joins the thread. Idempotent; one
  // caller at a time.
  void close();

 private:
  void run();
  void submit(Prompt prompt);
  [[nodiscard]] std::optional<Failure> hand_over(Prompt prompt);
  void bind(Prompt& prompt);
  void refuse(RequestId id, Failure failure);
  void end(End end);

  std::shared_ptr<const LlamaModel> model_;
  Engine& engine_;
  EventSink& sink_;
  DryBreakerLists dry_breakers_;
  Vocabularies vocabularies_;
  Mailbox<Prompt> mailbox_;
  std::thread thread_;
};

}  // namespace infernode
