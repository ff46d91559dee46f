#include "model/prompt_queue.h"

#include <limits>
#include <utility>

namespace infernode {

PromptQueue::PromptQueue(std::shared_ptr<const LlamaModel> model, Engine& engine, EventSink& sink)
    : model_(std::move(model)),
      engine_(engine),
      sink_(sink),
      vocabularies_(model_),
      // Bounded by its caller, which counts living requests before it pushes.
      mailbox_(std::numeric_limits<std::size_t>::max()),
      thread_([this] { run(); }) {}

PromptQueue::~PromptQueue() { close(); }

void PromptQueue::push(Prompt prompt) {
  const RequestId id = prompt.id;
  if (mailbox_.push(std::move(prompt)) == Pushed::kAccepted) return;
  refuse(id, {ErrorCode::kEngineClosed, "The engine is closed; create another one."});
}

void PromptQueue::close() {
  mailbox_.close();
  if (thread_.joinable()) thread_.join();
}

void PromptQueue::run() {
  while (true) {
    mailbox_.wait();
    const bool closing = mailbox_.closed();
    for (Prompt& prompt : mailbox_.drain()) {
      // Asked again for each: close() must not wait for a queue of prompts.
      if (mailbox_.closed() || prompt.control->cancelled.load()) {
        end({prompt.id, FinishReason::kCancelled, {}, {}, {}, {}, {}});
      } else {
        submit(std::move(prompt));
      }
    }
    if (closing) return;
  }
}

void PromptQueue::submit(Prompt prompt) {
  const RequestId id = prompt.id;
  try {
    if (auto failure = hand_over(std::move(prompt))) refuse(id, std::move(*failure));
  } catch (const Error& error) {
    refuse(id, {error.code(), error.what()});
  } catch (const std::exception& error) {
    refuse(id, {ErrorCode::kInvalidOption,
                std::string("The prompt could not be tokenized: ") + error.what()});
  }
}

std::optional<Failure> PromptQueue::hand_over(Prompt prompt) {
  if (const auto* fork = std::get_if<PromptFork>(&prompt.content))
    return engine_.fork(fork->source, prompt.id, fork->seed, std::move(prompt.control));
  std::vector<TokenId> tokens;
  if (const auto* text = std::get_if<PromptText>(&prompt.content)) {
    tokens = model_->tokenize(text->text, text->add_special, text->parse_special);
  } else if (const auto* form = std::get_if<PromptForm>(&prompt.content)) {
    tokens = tokenize_form(*model_, *form);
  } else {
    tokens = std::move(std::get<std::vector<TokenId>>(prompt.content));
  }
  if (prompt.ranks) {
    if (model_->rank_head() == nullptr)
      return Failure{ErrorCode::kInvalidOption, "The model has no rank head; load a reranker."};
    prompt.params.rank_head = model_->rank_head();
  }
  SamplingParams& sampling = prompt.params.sampling;
  if (sampling.dry_multiplier > 0 && !prompt.dry_breakers.empty())
    sampling.dry_breakers = dry_breakers_.find(*model_, prompt.dry_breakers);
  bind(prompt);
  return engine_.submit(prompt.id, std::move(tokens), std::move(prompt.params),
                        std::move(prompt.control));
}

// The request's vocabulary, and the grammar in it.
void PromptQueue::bind(Prompt& prompt) {
  GenerateParams& params = prompt.params;
  if (prompt.grammar.empty() && prompt.visible.empty()) return;
  Vocabularies::Entry& words = vocabularies_.find(prompt.visible);
  if (!prompt.visible.empty()) params.vocab = words.vocab;
  if (prompt.grammar.empty()) return;
  params.grammar = words.grammars.find(prompt.grammar);
  if (!prompt.triggers.words.empty())
    params.triggers = std::make_shared<const GrammarTriggers>(std::move(prompt.triggers));
  // Refused here rather than on the engine's thread, whose steps are everybody's.
  Constraint(params.grammar, params.grammar_prefix, params.triggers).prepare();
}

void PromptQueue::refuse(RequestId id, Failure failure) {
  end({id, FinishReason::kError, std::move(failure), {}, {}, {}, {}});
}

void PromptQueue::end(End end) {
  StepEvents events;
  events.ends.push_back(std::move(end));
  sink_.publish(std::move(events));
}

}  // namespace infernode
