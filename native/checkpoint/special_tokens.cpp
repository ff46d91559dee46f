#include "checkpoint/special_tokens.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace infernode {

namespace {

constexpr std::size_t kMostConfigBytes = 16u << 20;
constexpr std::size_t kMostEnds = 64;

// A small JSON file of the folder, and its name for messages.
struct Source {
  std::string label;
  Json json;
};

struct Sources {
  std::vector<Source> texts;  // these name tokens by their text
  std::vector<Source> ids;    // these name tokens by their id
};

Sources open_sources(const CheckpointFolder& folder) {
  Sources sources;
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    if (auto json = folder.json(name, kMostConfigBytes))
      sources.texts.push_back({folder.label(name), std::move(*json)});
  }
  for (const char* name : {"generation_config.json", "config.json"}) {
    auto json = folder.json(name, kMostConfigBytes);
    if (!json) continue;
    const Json* inner = member(*json, "text_config");
    if (inner != nullptr) sources.ids.push_back({folder.label(name), *inner});
    sources.ids.push_back({folder.label(name), std::move(*json)});
  }
  return sources;
}

// A token is a string, or an object with "content".
std::optional<std::string> token_text(const Source& source, const std::string& key) {
  const Json* value = member(source.json, key.c_str());
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  if (value->is_object())
    if (const auto text = text_member(*value, "content", source.label)) return text;
  refuse_tokenizer(source.label, key + " must be a token's text.");
}

// Ids from a key that is a number or a list of numbers. Some makers write -1 for none.
std::vector<std::uint32_t> ids_of(const Source& source, const std::string& key,
                                  const Vocabulary& vocabulary) {
  const Json* value = member(source.json, key.c_str());
  if (value == nullptr) return {};
  const Json list = value->is_array() ? *value : Json::array({*value});
  if (list.size() > kMostEnds) refuse_tokenizer(source.label, key + " has too many tokens.");
  std::vector<std::uint32_t> ids;
  for (const Json& item : list) {
    if (item.is_number_integer() && item == -1) continue;
    const std::uint64_t id = token_id(item, source.label, key);
    if (id >= vocabulary.size()) {
      refuse_tokenizer(source.label, key + " is " + std::to_string(id) +
                                         ", but the vocabulary has only " +
                                         std::to_string(vocabulary.size()) + " tokens.");
    }
    ids.push_back(static_cast<std::uint32_t>(id));
  }
  return ids;
}

// The token for `role` ("bos"). A text that is not a token is ignored: tokenizers adds it as a new
// token, for which there are no weights.
std::optional<std::uint32_t> find_role(const Sources& sources, const std::string& role,
                                       const Vocabulary& vocabulary) {
  for (const Source& source : sources.texts) {
    const auto text = token_text(source, role + "_token");
    const auto id = text ? vocabulary.find(*text) : std::nullopt;
    if (id) return static_cast<std::uint32_t>(*id);
  }
  for (const Source& source : sources.ids) {
    const auto ids = ids_of(source, role + "_token_id", vocabulary);
    if (!ids.empty()) return ids.front();
  }
  return std::nullopt;
}

// Tokens that the post-processor adds around a text, in `single` of a TemplateProcessing or in a
// RobertaProcessing; llama.cpp supports at most one on each side.
struct Around {
  std::vector<std::string> before;
  std::vector<std::string> after;
};

void read_template(const Json& processor, const std::string& label, Around& around) {
  const Json* single = member(processor, "single");
  if (single == nullptr || !single->is_array())
    refuse_tokenizer(label, "post_processor.single must be a list.");
  bool text = false;
  for (const Json& piece : *single) {
    const Json* token = member(piece, "SpecialToken");
    if (token == nullptr) {
      text = true;
    } else if (const auto id = text_member(*token, "id", label)) {
      (text ? around.after : around.before).push_back(*id);
    }
  }
}

void read_roberta(const Json& processor, Around& around) {
  const auto token = [&](const char* key) {
    const Json* pair = member(processor, key);
    const bool is = pair != nullptr && pair->is_array() && !pair->empty() && (*pair)[0].is_string();
    return is ? std::vector{(*pair)[0].get<std::string>()} : std::vector<std::string>();
  };
  around.before = token("cls");
  around.after = token("sep");
}

Around read_post_processor(const Json* tokenizer, const std::string& label) {
  Around around;
  const Json* processor = tokenizer == nullptr ? nullptr : member(*tokenizer, "post_processor");
  if (processor == nullptr) return around;
  const Json* list = member(*processor, "processors");
  const Json steps = list != nullptr && list->is_array() ? *list : Json::array({*processor});
  for (const Json& step : steps) {
    const std::string type = text_member(step, "type", label).value_or("");
    if (type == "TemplateProcessing") read_template(step, label, around);
    if (type == "RobertaProcessing") read_roberta(step, around);
  }
  return around;
}

// Whether the token is added: tokenizer_config.json decides, else the post-processor. `token` is
// set to the post-processor's if no file names one.
bool adds(const Sources& sources, const std::string& role, const std::vector<std::string>& around,
          const Vocabulary& vocabulary, std::optional<std::uint32_t>& token) {
  std::optional<std::uint32_t> only;
  if (around.size() == 1)
    if (const auto id = vocabulary.find(around[0])) only = static_cast<std::uint32_t>(*id);
  if (!token) token = only;
  const std::string key = "add_" + role + "_token";
  for (const Source& source : sources.texts) {
    if (member(source.json, key.c_str()) == nullptr) continue;
    const bool says = flag_member(source.json, key.c_str(), false, source.label);
    if (says && !token) {
      std::string problem = key;
      problem.append(" is true, but no file names the ").append(role).append(" token.");
      refuse_tokenizer(source.label, problem);
    }
    return says;
  }
  return only && only == token;
}

// eos first, then every other token that the configs name.
std::vector<std::uint32_t> find_ends(const Sources& sources, std::optional<std::uint32_t> eos,
                                     const Vocabulary& vocabulary) {
  std::vector<std::uint32_t> ends;
  const auto add = [&](std::uint32_t id) {
    if (std::ranges::find(ends, id) == ends.end()) ends.push_back(id);
  };
  if (eos) add(*eos);
  for (const Source& source : sources.ids)
    for (const std::uint32_t id : ids_of(source, "eos_token_id", vocabulary)) add(id);
  return ends;
}

}  // namespace

SpecialTokens read_special_tokens(const CheckpointFolder& folder, const Json* tokenizer,
                                  const Vocabulary& vocabulary) {
  const Sources sources = open_sources(folder);
  const Around around = read_post_processor(tokenizer, vocabulary.label());
  SpecialTokens special;
  special.bos = find_role(sources, "bos", vocabulary);
  special.eos = find_role(sources, "eos", vocabulary);
  special.unknown = find_role(sources, "unk", vocabulary);
  special.padding = find_role(sources, "pad", vocabulary);
  special.add_bos = adds(sources, "bos", around.before, vocabulary, special.bos);
  special.add_eos = adds(sources, "eos", around.after, vocabulary, special.eos);
  special.ends = find_ends(sources, special.eos, vocabulary);
  if (special.ends.empty()) {
    refuse_tokenizer(vocabulary.label(),
                     "no token is named that ends a text; put eos_token_id into config.json.");
  }
  return special;
}

}  // namespace infernode
