// The words every room of the engine shares: ids, request parameters, finish
// reasons, usage, and the one error type that crosses rooms.
// Plain values only; nothing here owns a thread, a file or a device.
// Any thread may use these types; none of them locks.
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
using Position = std::int32_t;    // a token's place in its sequence, from 0
using RequestId = std::uint64_t;  // chosen by the caller, unique per engine

constexpr SequenceId kNoSequence = -1;
constexpr TokenId kNoToken = -1;

// Codes of everything a caller can be told. error_name() gives the spelling
// that JavaScript sees; src/errors.ts holds the same registry with sentences.
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

// A failure with its code and one sentence: what was expected, what came,
// what to do. Never holds text of a prompt. Where one option of the request is wrong,
// `option` is its name in JavaScript and the message is what follows the name.
struct Failure {
  ErrorCode code;
  std::string message;
  std::string option = {};
};

// The same as an exception, for code that cannot return a Failure. Never
// thrown across a thread or the N-API boundary.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

// A broken invariant of ours: the engine fails every live request with it and
// declares itself broken.
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

// How much of each adapter that the backend has loaded is added to the model; none:
// as the engine was made.
using AdapterScales = std::vector<float>;

struct GenerateParams {
  SamplingParams sampling;
  std::int32_t max_tokens = 0;  // 0: until the context is full
  std::int32_t min_tokens = 0;  // before these, no token that ends a generation
  std::int32_t log_probs = -1;  // of how many likeliest tokens besides the chosen one; -1: none
  // The same of each token of the prompt but the first, which nothing precedes; -1: none. Rows that
  // tell of them are computed anew, whatever others computed of the prompt.
  std::int32_t prompt_log_probs = -1;
  bool prompt_tokens = false;  // the prompt's tokens are told too
  bool ignore_eos = false;
  std::vector<std::string> stop;        // stop strings, non-empty UTF-8
  bool include_stop = false;            // the stop string that ends the text is part of it
  std::vector<TokenId> stop_tokens;     // besides the model's own
  std::vector<TokenId> allowed_tokens;  // no others are chosen; none: any
  std::vector<std::vector<TokenId>> bad_phrases;  // whose last token is not chosen after the others
  bool embeds = false;  // ends with the last token's embedding, generates nothing
  std::shared_ptr<const RankHead> rank_head;  // of embeds: makes it scores; null: as it is
  bool cache = true;       // shares computed tokens with requests that begin alike
  std::string cache_salt;  // only with requests of the same salt
  AdapterScales adapters;  // rows of different ones never share a pass
  std::shared_ptr<GrammarAutomaton> grammar;        // what the text must look like; null: anything
  std::string grammar_prefix;                       // what the grammar's text begins with already
  std::shared_ptr<const GrammarTriggers> triggers;  // from where on it binds; null: at once
  std::shared_ptr<const Vocab> vocab;               // the tokens' texts; null: the engine's
  bool siblings = false;                            // one of several choices, which always share
  bool saves = false;                               // ends with the state of its prompt
};

// The state of a sequence, as bytes of the backend's own.
using StateBytes = std::vector<std::uint8_t>;

// All state of some tokens.
struct CachedState {
  std::vector<TokenId> tokens;
  StateBytes state;
};

// Names the cells that requests may share: those of one salt and one set of
// adapters, whose scales are part of every value computed. Salts hold no NUL.
std::string cache_key(const std::string& salt, const AdapterScales& adapters);

enum class FinishReason { kStop, kLength, kCancelled, kError };

std::string_view finish_reason_name(FinishReason reason);

struct Usage {
  std::int32_t prompt_tokens = 0;
  std::int32_t cached_prompt_tokens = 0;
  std::int32_t completion_tokens = 0;
};

// Milliseconds of one request's life, from the moment the engine accepted it.
struct Timings {
  double queue_ms = 0;    // accepted -> first scheduled
  double prefill_ms = 0;  // first scheduled -> first token
  double decode_ms = 0;   // first token -> last token
  double total_ms = 0;    // accepted -> ended
};

}  // namespace infernode
