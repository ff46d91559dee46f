// Turns prompts into tokens between the caller and the engine, on a thread of
// its own: a long prompt stalls neither JavaScript nor a running step, nor other
// prompts: it is tokenized in slices, between which others are taken and it may be
// cancelled. Keeps the order of submission but for such. Every prompt accepted
// here either reaches the engine or ends in the sink.
// push() and close() may be called from any thread.
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
  std::vector<std::string> bad_words;     // texts that are not generated
  bool show_special = false;              // every control token has a text
  std::int32_t most_tokens = 0;           // of the prompt, its last ones; 0: all
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
  // A prompt of which slices are left, or the fork of one.
  struct Pending {
    Prompt prompt;
    std::unique_ptr<Tokenizing> work;
  };

  void run();
  void take(Prompt prompt);
  [[nodiscard]] bool end_if_cancelled(const Prompt& prompt);
  [[nodiscard]] std::unique_ptr<Tokenizing> work_of(Prompt& prompt) const;
  void go_on();
  [[nodiscard]] bool advance(Pending& pending);
  void hand_over(Prompt prompt, std::vector<TokenId> tokens);
  [[nodiscard]] std::optional<Failure> submit(Prompt prompt, std::vector<TokenId> tokens);
  template <typename Work>
  void guarded(RequestId id, const Work& work);
  void bind(Prompt& prompt);
  void forbid(Prompt& prompt) const;
  void refuse(RequestId id, Failure failure);
  void end(End end);

  std::shared_ptr<const LlamaModel> model_;
  Engine& engine_;
  EventSink& sink_;
  const TextSlices slices_;
  DryBreakerLists dry_breakers_;
  Vocabularies vocabularies_;
  std::deque<Pending> pending_;  // in turn
  Mailbox<Prompt> mailbox_;
  std::thread thread_;
};

}  // namespace infernode
