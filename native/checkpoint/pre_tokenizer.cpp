// The table is data: the patterns in the makers' tokenizer.json files, in the normalised spelling
// of canonical().
#include "checkpoint/pre_tokenizer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "checkpoint/vocabulary.h"

namespace infernode {

namespace {

constexpr std::size_t kMostSteps = 64;
constexpr std::size_t kMostDepth = 8;

// Equivalent spellings, of which the first is the normalised one: English contractions in either
// case, and line ends inside a pattern.
struct Spelling {
  std::string_view from;
  std::string_view to;
};
constexpr std::string_view kContractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
constexpr std::array<Spelling, 5> kSpellings = {{
    {"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])", kContractions},
    {"'(?i:[sdmt]|ll|ve|re)", kContractions},
    {"\\p{N}{1}|", "\\p{N}|"},
    {"\r", "\\r"},
    {"\n", "\\n"},
}};

std::string canonical(std::string pattern) {
  for (const auto& [from, to] : kSpellings) {
    for (std::size_t at = 0; (at = pattern.find(from, at)) != std::string::npos; at += to.size())
      pattern.replace(at, from.size(), to);
  }
  return pattern;
}

// What a file says of them: one that follows them is told from one that does not, except that
// llama.cpp ignores the merges of kEither whatever the file says.
enum class Merges { kEither, kFollowed, kIgnored };

struct KnownSteps {
  std::string_view name;
  Merges merges;
  std::string_view steps;            // joined by line ends
  std::string_view difference = {};  // of PreTokenizer
};

#define WORDS_AND_SPACES R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define CONTRACTIONS R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
#define CASED_WORDS(after)                                                                \
  R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)" after \
  R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)" after
#define CASED_REST R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define DEEPSEEK_WORDS                                 \
  R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+)" \
  R"(|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"

constexpr std::array kKnown = std::to_array<KnownSteps>({
    {"llama-bpe", Merges::kIgnored,
     "split: " CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)" WORDS_AND_SPACES "\nbytes"},
    {"smaug-bpe", Merges::kFollowed,
     "split: " CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)" WORDS_AND_SPACES "\nbytes"},
    {"qwen2", Merges::kFollowed,
     "split: " CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)" WORDS_AND_SPACES "\nbytes"},
    {"qwen35", Merges::kFollowed,
     "split: " CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|)"
     R"( ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"
     "\nbytes"},
    {"tekken", Merges::kEither, "split: " CASED_WORDS("") R"(|\p{N})" CASED_REST "\nbytes",
     "words are cut at combining marks (Thai and Hindi have them), where Hugging Face's tokenizers "
     "goes on"},
    // llama.cpp's "gpt-4o" splits words at combining marks; this one, with the same pattern, does
    // not.
    {"granite-embed-multi-97m", Merges::kEither,
     "split: " CASED_WORDS(CONTRACTIONS "?") R"(|\p{N}{1,3})" CASED_REST "\nbytes"},
    {"ufakzeka", Merges::kFollowed,
     R"(split: [^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)" WORDS_AND_SPACES "\nbytes"},
    {"seed-coder", Merges::kFollowed,
     "split: " CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
     R"( ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)"
     "\nbytes"},
    {"minicpm5", Merges::kIgnored,
     R"(split: \p{N}{1,3})"
     "\nsplit: " CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+|)" WORDS_AND_SPACES "\nbytes"},
    {"gpt-2", Merges::kFollowed, "bytes: GPT-2's pattern"},
    {"smollm", Merges::kFollowed, "digits: one by one\nbytes: GPT-2's pattern"},
    {"deepseek-v3", Merges::kFollowed,
     R"(split: \p{N}{1,3})"
     "\nsplit: [一-龥぀-ゟ゠-ヿ]+\nsplit: " DEEPSEEK_WORDS "\nbytes"},
    {"deepseek-coder", Merges::kFollowed,
     R"(split: [\r\n])"
     "\n"
     R"(split: \s?\p{L}+)"
     "\n"
     R"(split: \s?\p{P}+)"
     "\nsplit: [一-龥ࠀ-一가-퟿]+\ndigits: one by one\nbytes"},
});

// The values of --pre-tokenizer: llama.cpp v0.5.0's names for byte-level vocabularies.
constexpr std::array kNames = std::to_array<std::string_view>({
    "a.x-4.0",
    "afmoe",
    "bailingmoe",
    "bailingmoe2",
    "bloom",
    "chameleon",
    "chatglm-bpe",
    "codeshell",
    "cohere2moe",
    "command-r",
    "dbrx",
    "deepseek-coder",
    "deepseek-llm",
    "deepseek-r1-qwen",
    "deepseek-v3",
    "default",
    "exaone",
    "exaone-moe",
    "exaone4",
    "f2llmv2",
    "falcon",
    "falcon-h1",
    "falcon3",
    "gigachat",
    "glm4",
    "gpt-2",
    "gpt-4o",
    "gpt3-finnish",
    "granite-docling",
    "grok-2",
    "hunyuan",
    "hunyuan-dense",
    "hy_v4",
    "jais",
    "jais-2",
    "joyai-llm",
    "kanana2",
    "kormo",
    "laguna",
    "lfm2",
    "llada-moe",
    "llama-bpe",
    "llama-v3",
    "llama3",
    "llama4",
    "megrez",
    "mellum",
    "mellum2",
    "midm-2.0",
    "minerva-7b",
    "minicpm5",
    "minimax-m2",
    "modern-bert",
    "mpt",
    "olmo",
    "phi-2",
    "pixtral",
    "poro-chat",
    "qwen2",
    "qwen35",
    "refact",
    "seed-coder",
    "smaug-bpe",
    "smollm",
    "solar-open",
    "spark2_5",
    "stablelm2",
    "starcoder",
    "superbpe",
    "talkie",
    "tekken",
    "tiny_aya",
    "trillion",
    "ufakzeka",
    "viking",
    "youtu",
});

std::string required_text(const Json& step, const char* key, const std::string& label) {
  const std::optional<std::string> text = text_member(step, key, label);
  if (!text) refuse_tokenizer(label, "pre_tokenizer: a step has no '" + std::string(key) + "'.");
  return *text;
}

// A Split that removes the text between matches yields the same words as one that isolates the
// matches if the pattern matches everything, as all patterns in the table do.
std::string split_step(const Json& step, const std::string& label) {
  const Json* pattern = member(step, "pattern");
  const Json* regex = pattern == nullptr ? nullptr : member(*pattern, "Regex");
  const Json* text = pattern == nullptr ? nullptr : member(*pattern, "String");
  const Json* what = regex != nullptr ? regex : text;
  if (what == nullptr || !what->is_string())
    refuse_tokenizer(label, "pre_tokenizer: a Split must have a pattern, Regex or String.");
  const std::string behavior = required_text(step, "behavior", label);
  const bool invert = flag_member(step, "invert", false, label);
  const bool words = behavior == "Isolated" || (behavior == "Removed" && invert);
  std::string line = regex != nullptr ? "split" : "split at text";
  if (!words) line += " (" + shown_text(behavior) + (invert ? ", inverted)" : ")");
  return line + ": " + canonical(what->get<std::string>());
}

std::string step_line(const Json& step, const std::string& label) {
  const std::string type = required_text(step, "type", label);
  if (type == "Split") return split_step(step, label);
  if (type == "Digits") {
    return flag_member(step, "individual_digits", false, label) ? "digits: one by one"
                                                                : "digits: together";
  }
  if (type == "ByteLevel") {
    std::string line = "bytes";
    if (flag_member(step, "use_regex", true, label)) line += ": GPT-2's pattern";
    if (flag_member(step, "add_prefix_space", true, label)) line += " after a space";
    return line;
  }
  std::string line = "type " + shown_text(type);
  if (const Json* behavior = member(step, "behavior"); behavior && behavior->is_string())
    line += ": " + shown_text(behavior->get<std::string>());
  return line;
}

void flatten(const Json& step, std::size_t depth, const std::string& label,
             std::vector<std::string>& lines) {
  const Json* steps = member(step, "pretokenizers");
  if (steps == nullptr) {
    lines.push_back(step_line(step, label));
  } else {
    if (!steps->is_array() || depth == kMostDepth)
      refuse_tokenizer(label, "pre_tokenizer: 'pretokenizers' must be a list, not nested deeply.");
    for (const Json& inner : *steps) flatten(inner, depth + 1, label, lines);
  }
  if (lines.size() > kMostSteps) refuse_tokenizer(label, "pre_tokenizer has too many steps.");
}

}  // namespace

std::vector<std::string> pre_tokenizer_steps(const Json* pre_tokenizer, const std::string& label) {
  std::vector<std::string> lines;
  if (pre_tokenizer != nullptr) flatten(*pre_tokenizer, 0, label, lines);
  return lines;
}

bool is_byte_level(const std::vector<std::string>& steps) {
  return std::ranges::any_of(steps, [](const std::string& s) { return s.starts_with("bytes"); });
}

std::optional<PreTokenizer> find_pre_tokenizer(const std::vector<std::string>& steps,
                                               bool ignore_merges) {
  std::string all;
  for (const std::string& step : steps) all += (all.empty() ? "" : "\n") + step;
  for (const KnownSteps& known : kKnown) {
    const bool merges =
        known.merges == Merges::kEither || (known.merges == Merges::kIgnored) == ignore_merges;
    if (merges && known.steps == all)
      return PreTokenizer{known.name, known.merges != Merges::kFollowed, known.difference};
  }
  return std::nullopt;
}

bool is_pre_tokenizer(std::string_view name) {
  return std::ranges::find(kNames, name) != kNames.end();
}

std::string pre_tokenizer_names() {
  std::string all;
  for (const std::string_view name : kNames) all += (all.empty() ? "" : ", ") + std::string(name);
  return all;
}

}  // namespace infernode
