#include "napi/event_channel.h"

#include <algorithm>
#include <array>
#include <new>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/failures.h"
#include "napi/convert.h"
#include "napi/reporting_call.h"

namespace infernode {

namespace {

// The events of one request since the last wake-up, merged into one for JavaScript, across any
// number of steps.
struct Gathered {
  RequestId id;
  std::string text;
  std::vector<TokenId> tokens;
  std::vector<double> log_probs;  // per token: see append_log_probs
};

// The token's log-probability, the number of alternatives, and token and log-probability of each.
void append_log_probs(const LogProbs& probs, std::vector<double>& out) {
  out.push_back(static_cast<double>(probs.chosen.log_prob));
  out.push_back(static_cast<double>(probs.top.size()));
  for (const TokenLogProb& entry : probs.top) {
    out.push_back(entry.token);
    out.push_back(static_cast<double>(entry.log_prob));
  }
}

// The token's log-probability and its rank, then alternatives as above.
void append_prompt_log_prob(const PromptLogProb& token, std::vector<double>& out) {
  out.push_back(token.rank);
  append_log_probs(token.probs, out);
}

Napi::Value log_probs_to(Napi::Env env, const std::vector<double>& values) {
  Napi::Float64Array array = Napi::Float64Array::New(env, values.size());
  std::ranges::copy(values, array.Data());
  return array;
}

std::vector<Gathered> gather(const std::vector<Delta>& deltas) {
  std::vector<Gathered> gathered;
  std::unordered_map<RequestId, std::size_t> places;
  for (const Delta& delta : deltas) {
    const auto [place, added] = places.try_emplace(delta.id, gathered.size());
    if (added) gathered.push_back({delta.id, {}, {}, {}});
    Gathered& event = gathered[place->second];
    event.text += delta.text;
    if (delta.token != kNoToken) event.tokens.push_back(delta.token);
    if (delta.log_probs != nullptr) append_log_probs(*delta.log_probs, event.log_probs);
  }
  return gathered;
}

// For each prompt with new scores: its id, its tokens or null, and its log-probabilities.
Napi::Array prompts_to(Napi::Env env, const StepEvents& events) {
  Napi::Array prompts = Napi::Array::New(env);
  const auto add = [&](RequestId id, const Napi::Value& tokens, const Napi::Value& log_probs) {
    Napi::Object prompt = Napi::Object::New(env);
    prompt.Set("id", static_cast<double>(id));
    prompt.Set("tokens", tokens);
    prompt.Set("logProbs", log_probs);
    prompts.Set(prompts.Length(), prompt);
  };
  for (const PromptTokens& prompt : events.prompts) {
    Napi::Int32Array tokens = Napi::Int32Array::New(env, prompt.tokens.size());
    std::ranges::copy(prompt.tokens, tokens.Data());
    add(prompt.id, tokens, env.Null());
  }
  for (const PromptLogProbs& prompt : events.prompt_log_probs) {
    std::vector<double> values;
    for (const PromptLogProb& token : prompt.tokens) append_prompt_log_prob(token, values);
    add(prompt.id, env.Null(), log_probs_to(env, values));
  }
  return prompts;
}

using Arguments = std::array<napi_value, 8>;

// What the handler is called with.
Arguments arguments_of(Napi::Env env, const StepEvents& events) {
  const std::size_t token_count = events.deltas.size();  // at most one per delta
  const std::vector<Gathered> gathered = gather(events.deltas);
  Napi::Float64Array ids = Napi::Float64Array::New(env, gathered.size());
  Napi::Uint32Array token_ends = Napi::Uint32Array::New(env, gathered.size());
  Napi::Array texts = Napi::Array::New(env, gathered.size());
  Napi::Array log_probs = Napi::Array::New(env);
  Napi::Int32Array tokens = Napi::Int32Array::New(env, token_count);
  std::uint32_t written = 0;
  for (std::size_t i = 0; i < gathered.size(); ++i) {
    ids[i] = static_cast<double>(gathered[i].id);
    texts.Set(static_cast<std::uint32_t>(i), gathered[i].text);
    for (const TokenId token : gathered[i].tokens) tokens[written++] = token;
    token_ends[i] = written;
    if (gathered[i].log_probs.empty()) continue;
    log_probs.Set(static_cast<std::uint32_t>(i), log_probs_to(env, gathered[i].log_probs));
  }
  Napi::Array ends = Napi::Array::New(env, events.ends.size());
  for (std::size_t i = 0; i < events.ends.size(); ++i)
    ends.Set(static_cast<std::uint32_t>(i), end_to(env, events.ends[i]));
  Napi::Array accepted = Napi::Array::New(env, events.accepted.size());
  for (std::size_t i = 0; i < events.accepted.size(); ++i)
    accepted.Set(static_cast<std::uint32_t>(i), static_cast<double>(events.accepted[i]));
  return {ids, texts, tokens, token_ends, ends, log_probs, accepted, prompts_to(env, events)};
}

}  // namespace

EventChannel::EventChannel(Napi::Env env, const Napi::Function& handler,
                           std::function<void(RequestId)> ended)
    : ended_(std::move(ended)),
      function_(Function::New(env, handler, "infernode events", 0, 1, this)),
      handler_(Napi::Persistent(handler)) {
  function_.Unref(env);
}

void EventChannel::publish(StepEvents&& events) {
  const std::lock_guard lock(mutex_);
  if (released_) return;
  events_.append(std::move(events));
  if (waking_) return;
  waking_ = function_.NonBlockingCall() == napi_ok;
}

void EventChannel::ref(Napi::Env env, bool alive) {
  if (released_) return;
  alive ? function_.Ref(env) : function_.Unref(env);
}

void EventChannel::release() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(released_, true)) return;
  function_.Abort();
}

// What an earlier call has taken and could not deliver stays in front.
void EventChannel::take() {
  const std::lock_guard lock(mutex_);
  waking_ = false;
  if (taken_.empty())
    taken_ = std::exchange(events_, {});
  else
    taken_.append(std::move(events_));
}

void EventChannel::wake() {
  const std::lock_guard lock(mutex_);
  if (released_ || waking_) return;
  waking_ = function_.NonBlockingCall() == napi_ok;
}

// A lack of memory is not reported: the events are delivered once there is some.
void EventChannel::on_wake_up(Napi::Env env, Napi::Function handler, EventChannel* channel, void*) {
  // Node passes no environment when it drains the queue at teardown.
  if (env == nullptr || channel == nullptr) return;
  channel->wake_ups_.fetch_add(1, std::memory_order_relaxed);
  call_reporting(env, [&] {
    try {
      channel->deliver(env, handler);
    } catch (const std::bad_alloc&) {
      channel->wake();
    } catch (...) {
      if (!channel->taken_.empty()) channel->wake();
      throw;
    }
  });
}

void EventChannel::deliver_rest(Napi::Env env) {
  when_memory_allows([&] { deliver(env, handler_.Value()); });
}

void EventChannel::deliver(Napi::Env env, const Napi::Function& handler) {
  take();
  if (taken_.empty()) return;
  const Napi::HandleScope scope(env);
  const Arguments arguments = arguments_of(env, taken_);
  const StepEvents delivered = std::exchange(taken_, {});
  for (const End& end : delivered.ends) ended_(end.id);
  handler.Call(arguments.size(), arguments.data());
}

}  // namespace infernode
