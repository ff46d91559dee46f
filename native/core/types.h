// The types that all parts of the engine share: ids, request parameters, finish reasons, usage, and
// the error type. Plain values: nothing here owns a thread, a file or a device, and nothing locks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace infernode {

using TokenId = std::int32_t;     // an index into the model's vocabulary
using SequenceId = std::int32_t;  // a slot of the KV cache, dense from 0
using Position = std::int32_t;    // the index of a token in its sequence
using RequestId = std::uint64_t;  // chosen by the caller, unique per engine

constexpr SequenceId kNoSequence = -1;
constexpr TokenId kNoToken = -1;

// The codes of all errors that callers see. error_name() is the spelling in JavaScript;
// src/errors.ts lists the same codes, and which of them a caller may retry.
enum class ErrorCode {
  kModelNotFound,
  kModelUnreadable,
  kModelNotGguf,
  kModelVersionUnsupported,
  kModelTruncated,
  kModelCorrupt,
  kModelArchitectureUnsupported,
  kModelFormatUnsupported,
  kDiskFull,
  kModelLoadFailed,
  kFileNotWritable,
  kOutOfMemory,
  kInvalidOption,
  kContextOverflow,
  kQueueFull,
  kCancelled,
  kModelClosed,
  kEngineClosed,
  kDecodeFailed,
  kDeviceFailed,
  kEngineBroken,
};

std::string_view error_name(ErrorCode code);

// An error with its code and one sentence: what was expected, what came, what to do. It never
// contains text of a prompt. If one option of the request is invalid, `option` is its name in
// JavaScript, and the message is the rest of the sentence after that name.
struct Failure {
  ErrorCode code;
  std::string message;
  std::string option = {};
};

// A Failure as an exception. Never thrown across threads or the N-API boundary.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

// A fault of our own code: the engine ends every request with it and refuses all later ones.
class BrokenInvariant : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

#define INFERNODE_CHECK(condition, sentence)                        \
  do {                                                              \
    if (!(condition)) throw ::infernode::BrokenInvariant(sentence); \
  } while (false)

class DryBreakers;
class GrammarAutomaton;
struct GrammarTriggers;
class RankHead;
class Vocab;

struct LogitBias {
  TokenId token;
  float bias;  // added to the logit; -infinity forbids the token
};

// How one request's next token is chosen. The order of application is
// llama.cpp's: logit_bias, penalties, DRY, top_n_sigma, top_k, typical_p, top_p,
// min_p, XTC, temperature, draw. With mirostat: logit_bias, penalties, DRY,
// temperature, mirostat.
struct SamplingParams {
  float temperature = 0.7f;     // <= 0 takes the most likely token
  std::int32_t top_k = 0;       // 0: off
  float top_p = 0.95f;          // 1: off
  float min_p = 0.0f;           // 0: off
  float repeat_penalty = 1.0f;  // 1: off
  float frequency_penalty = 0.0f;
  float presence_penalty = 0.0f;
  std::int32_t penalty_window = -1;  // last tokens the penalties see; -1: all
  float dry_multiplier = 0.0f;       // 0: off
  float dry_base = 1.75f;            // at least 1
  std::int32_t dry_allowed_length = 2;
  std::int32_t dry_window = -1;                     // last tokens looked at; -1: all known
  std::shared_ptr<const DryBreakers> dry_breakers;  // null: none
  float typical_p = 1.0f;                           // 1: off
  float top_n_sigma = 0.0f;                         // 0: off
  float xtc_probability = 0.0f;                     // 0: off
  float xtc_threshold = 0.1f;                       // above 0.5: off
  float dynatemp_range = 0.0f;                      // 0: off
  float dynatemp_exponent = 1.0f;
  bool mirostat = false;      // version 2
  float mirostat_tau = 5.0f;  // surprise to keep, in bits
  float mirostat_eta = 0.1f;  // how fast it adapts
  std::uint64_t seed = 0;
  std::vector<LogitBias> logit_bias;
};

// The scale of each LoRA adapter that the backend has loaded; empty: the scales the engine was
// created with.
using AdapterScales = std::vector<float>;

struct GenerateParams {
  SamplingParams sampling;
  std::int32_t max_tokens = 0;  // 0: until the context is full
  std::int32_t min_tokens = 0;  // end-of-generation tokens are forbidden until then
  std::int32_t log_probs =
      -1;  // how many of the likeliest tokens get one besides the chosen; -1: none
  // The same for each prompt token but the first, which has no row before it; -1: none. Those rows
  // are computed even where the prefix is cached.
  std::int32_t prompt_log_probs = -1;
  bool prompt_tokens = false;  // the prompt's tokens are published too
  bool ignore_eos = false;
  std::vector<std::string> stop;     // stop strings, non-empty UTF-8
  bool include_stop = false;         // the answer contains the stop string or token that ended it
  std::vector<TokenId> stop_tokens;  // besides the model's end-of-generation tokens
  std::vector<TokenId> allowed_tokens;  // only these are chosen; empty: any
  std::vector<std::vector<TokenId>>
      bad_phrases;      // the last token of a phrase is not chosen after the others
  bool embeds = false;  // ends with the last token's embedding, generates nothing
  std::shared_ptr<const RankHead>
      rank_head;           // with embeds: turns the embedding into scores; null: none
  bool cache = true;       // shares computed tokens with requests of the same prefix
  std::string cache_salt;  // prefixes are shared only with the same salt
  AdapterScales adapters;  // rows with different adapters never share a pass
  std::shared_ptr<GrammarAutomaton> grammar;  // constrains the text; null: nothing does
  std::string grammar_prefix;                 // text that the grammar has already accepted
  std::shared_ptr<const GrammarTriggers>
      triggers;                        // the grammar applies after one of these; null: at once
  std::shared_ptr<const Vocab> vocab;  // the texts of tokens; null: the engine's
  bool parallel_samples = false;       // one of several samples of a prompt (n > 1)
  bool saves = false;                  // ends with the state of its prompt
};

// The state of a sequence in the backend's own format.
using StateBytes = std::vector<std::uint8_t>;

// The state of a sequence with these tokens.
struct CachedState {
  std::vector<TokenId> tokens;
  StateBytes state;
};

// Requests share cached prefixes only where this key is equal: it joins the salt and the scales of
// the adapters, which change every computed value. Salts contain no NUL.
std::string cache_key(const std::string& salt, const AdapterScales& adapters);

enum class FinishReason { kStop, kLength, kCancelled, kError };

std::string_view finish_reason_name(FinishReason reason);

struct Usage {
  std::int32_t prompt_tokens = 0;
  std::int32_t cached_prompt_tokens = 0;
  std::int32_t completion_tokens = 0;
};

// Milliseconds of one request, from its acceptance.
struct Timings {
  double queue_ms = 0;    // accepted -> first scheduled
  double prefill_ms = 0;  // first scheduled -> first token
  double decode_ms = 0;   // first token -> last token
  double total_ms = 0;    // accepted -> ended
};

}  // namespace infernode
