#include "model/prompt_queue.h"

#include <algorithm>
#include <utility>

#include "core/failures.h"

namespace infernode {

PromptQueue::PromptQueue(std::shared_ptr<const LlamaModel> model, Engine& engine, EventSink& sink)
    : model_(std::move(model)),
      engine_(engine),
      sink_(sink),
      slices_(*model_),
      vocabularies_(model_),
      thread_([this] { run(); }) {}

PromptQueue::~PromptQueue() { close(); }

void PromptQueue::push(Prompt prompt) {
  const RequestId id = prompt.id;
  if (!mailbox_.push(std::move(prompt))) refuse(id, engine_closed());
}

void PromptQueue::close() {
  mailbox_.close();
  if (thread_.joinable()) thread_.join();
}

void PromptQueue::run() {
  while (true) {
    if (pending_.empty()) mailbox_.wait();
    const bool closing = mailbox_.closed();
    for (Prompt& prompt : mailbox_.drain()) take(std::move(prompt));
    if (!pending_.empty()) tokenize_slice();
    if (closing && pending_.empty()) return;
  }
}

void PromptQueue::take(Prompt prompt) {
  if (end_if_cancelled(prompt)) return;
  const RequestId id = prompt.id;
  end_if_it_fails(id, [&] {
    if (const auto* fork = std::get_if<PromptFork>(&prompt.content)) {
      // The engine must receive its source request first.
      const auto is_source = [&](const Pending& one) { return one.prompt.id == fork->source; };
      if (std::ranges::any_of(pending_, is_source))
        pending_.push_back({std::move(prompt), {}});
      else
        submit_or_refuse(std::move(prompt), {});
    } else if (auto* content = std::get_if<std::vector<TokenId>>(&prompt.content)) {
      std::vector<TokenId> tokens = std::move(*content);  // before the prompt is moved
      submit_or_refuse(std::move(prompt), std::move(tokens));
    } else {
      Pending pending{std::move(prompt), {}};
      pending.work = tokenizing_of(pending.prompt);
      if (advance(pending)) pending_.push_back(std::move(pending));
    }
  });
}

// Checked before each slice: neither close() nor a cancelled request may wait for the prompts in
// the queue.
bool PromptQueue::end_if_cancelled(const Prompt& prompt) {
  if (!mailbox_.closed() && !prompt.control->cancelled.load()) return false;
  end(prompt.id, FinishReason::kCancelled, nullptr);
  return true;
}

// Throws for a text that cannot fit, before any work is spent on it.
std::unique_ptr<Tokenizing> PromptQueue::tokenizing_of(Prompt& prompt) const {
  if (auto* form = std::get_if<PromptForm>(&prompt.content))
    return std::make_unique<Tokenizing>(*model_, slices_, *form);
  auto& text = std::get<PromptText>(prompt.content);
  if (prompt.most_tokens == 0)
    engine_.check_prompt(slices_.fewest_tokens(text.text.size(), text.parse_special));
  return std::make_unique<Tokenizing>(*model_, slices_, std::move(text));
}

// Tokenizes the next slice of the prompt at the front.
void PromptQueue::tokenize_slice() {
  Pending pending = std::move(pending_.front());
  pending_.pop_front();
  if (end_if_cancelled(pending.prompt)) return;
  end_if_it_fails(pending.prompt.id, [&] {
    if (advance(pending)) pending_.push_back(std::move(pending));
  });
}

// False once the prompt has been passed to the engine.
bool PromptQueue::advance(Pending& pending) {
  if (!pending.work) {
    const RequestId source = std::get<PromptFork>(pending.prompt.content).source;
    const auto is_source = [&](const Pending& one) { return one.prompt.id == source; };
    if (std::ranges::any_of(pending_, is_source)) return true;
    submit_or_refuse(std::move(pending.prompt), {});
    return false;
  }
  if (pending.work->step()) {
    if (pending.prompt.most_tokens == 0) engine_.check_prompt(pending.work->least_tokens());
    return true;
  }
  submit_or_refuse(std::move(pending.prompt), std::move(pending.work->tokens()));
  return false;
}

// What the caller did wrong is an Error with its code; any other exception is an internal error.
template <typename Work>
void PromptQueue::end_if_it_fails(RequestId id, const Work& work) {
  try {
    work();
  } catch (...) {
    refuse(id, failure_of(std::current_exception(),
                          {kRequestOutOfMemory, "The prompt could not be tokenized"},
                          ErrorCode::kEngineBroken));
  }
}

void PromptQueue::submit_or_refuse(Prompt prompt, std::vector<TokenId> tokens) {
  const RequestId id = prompt.id;
  if (const auto failure = submit(std::move(prompt), std::move(tokens))) refuse(id, *failure);
}

std::optional<Failure> PromptQueue::submit(Prompt prompt, std::vector<TokenId> tokens) {
  if (const auto* fork = std::get_if<PromptFork>(&prompt.content))
    return engine_.fork(fork->source, prompt.id, fork->seed, std::move(prompt.control));
  if (prompt.ranks) {
    if (model_->rank_head() == nullptr)
      return Failure{ErrorCode::kInvalidOption, "The model has no rank head; load a reranker."};
    prompt.params.rank_head = model_->rank_head();
  }
  SamplingParams& sampling = prompt.params.sampling;
  if (sampling.dry_multiplier > 0 && !prompt.dry_breakers.empty())
    sampling.dry_breakers = dry_breakers_.find(*model_, prompt.dry_breakers);
  bind(prompt);
  forbid(prompt);
  const auto most = static_cast<std::size_t>(prompt.most_tokens);
  if (most > 0 && tokens.size() > most)
    tokens.erase(tokens.begin(), tokens.end() - static_cast<std::ptrdiff_t>(most));
  return engine_.submit(prompt.id, std::move(tokens), std::move(prompt.params),
                        std::move(prompt.control));
}

// The request's vocabulary, and the grammar in it.
void PromptQueue::bind(Prompt& prompt) {
  GenerateParams& params = prompt.params;
  if (prompt.grammar.empty() && prompt.visible.empty() && !prompt.show_special) return;
  Vocabularies::Entry& words =
      prompt.show_special ? vocabularies_.all_visible() : vocabularies_.find(prompt.visible);
  if (!prompt.visible.empty() || prompt.show_special) params.vocab = words.vocab;
  if (prompt.grammar.empty()) return;
  params.grammar = words.grammars.find(prompt.grammar);
  if (!prompt.triggers.words.empty())
    params.triggers = std::make_shared<const GrammarTriggers>(std::move(prompt.triggers));
  // Refused here rather than on the engine thread, whose steps serve every request.
  Constraint(params.grammar, params.grammar_prefix, params.triggers).prepare();
}

// A word counts both at the beginning of a text and inside it.
void PromptQueue::forbid(Prompt& prompt) const {
  for (const std::string& word : prompt.bad_words) {
    for (const std::string& text : {word, " " + word}) {
      std::vector<TokenId> phrase = model_->vocab().tokenize(text, false, false);
      if (!phrase.empty()) prompt.params.bad_phrases.push_back(std::move(phrase));
    }
  }
}

void PromptQueue::refuse(RequestId id, const Failure& failure) noexcept {
  end(id, FinishReason::kError, &failure);
}

// The request must end even without memory: nothing else would end it.
void PromptQueue::end(RequestId id, FinishReason reason, const Failure* failure) noexcept {
  until_done([&] {
    StepEvents events;
    End& end = events.ends.emplace_back();
    end.id = id;
    end.reason = reason;
    if (failure != nullptr) end.failure = *failure;
    sink_.publish(std::move(events));
  });
}

}  // namespace infernode
