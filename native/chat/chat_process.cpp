// llama.cpp's chat templates and JSON schemas in a process of their own:
// `infernode-chat` reads one JSON request per line, a conversation to render or a
// schema to write as a grammar, and answers each with one line. The only file
// that includes llama-common. A template is a program of whoever made the model: it
// may loop, recurse or allocate without end, and then costs this process its
// life and nobody else's. Runs for one model; the parent watches the clock.
#include <algorithm>
#include <cstdint>
#include <exception>
#include <iostream>
#include <list>
#include <string>
#include <utility>

#if !defined(_WIN32)
#include <sys/resource.h>
#endif

#include "chat.h"
#include "json-schema-to-grammar.h"
#include "json.h"
#include "log.h"

namespace {

constexpr std::size_t kTemplatesKept = 4;
constexpr std::size_t kLongestError = 300;     // bytes
constexpr std::uint64_t kMemory = 2ULL << 30;  // bytes of address space
constexpr std::uint64_t kSeconds = 10;         // of processor time per request

#if defined(_WIN32)
void limit_memory() {}
void limit_time() {}
#else
void limit(int resource, std::uint64_t value) {
  const auto most = static_cast<rlim_t>(value);
  const rlimit limits{most, RLIM_INFINITY};
  setrlimit(static_cast<decltype(RLIMIT_CORE)>(resource), &limits);
}

void limit_memory() {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_AS, kMemory);
}

// Ends this process when the parent is no longer there to do it.
void limit_time() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  limit(RLIMIT_CPU,
        static_cast<std::uint64_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + kSeconds);
}
#endif

// Parsed templates by their text: parsing and probing one costs many renders.
class Templates {
 public:
  const common_chat_templates* get(const std::string& source, const std::string& bos,
                                   const std::string& eos) {
    const auto found = std::find_if(kept_.begin(), kept_.end(),
                                    [&](const auto& entry) { return entry.first == source; });
    if (found == kept_.end()) {
      kept_.emplace_front(source, common_chat_templates_init(nullptr, source, bos, eos));
      if (kept_.size() > kTemplatesKept) kept_.pop_back();
    } else {
      kept_.splice(kept_.begin(), kept_, found);
    }
    return kept_.front().second.get();
  }

 private:
  std::list<std::pair<std::string, common_chat_templates_ptr>> kept_;
};

common_chat_templates_inputs inputs_from(const common_json& request) {
  common_chat_templates_inputs inputs;
  inputs.messages = common_chat_msgs_parse_oaicompat(request.at("messages"));
  inputs.add_generation_prompt = request.at("addGenerationPrompt").get<bool>();
  const common_json& variables = request.at("variables");
  for (const auto& [name, value] : variables.items()) {
    inputs.chat_template_kwargs[name] = value.dump();
    if (name == "enable_thinking" && value.is_boolean()) inputs.enable_thinking = value.get<bool>();
  }
  return inputs;
}

common_json render(Templates& templates, const common_json& request) {
  const std::string bos = request.at("bos");
  const common_chat_templates* parsed =
      templates.get(request.at("template"), bos, request.at("eos"));
  common_chat_params params = common_chat_templates_apply(parsed, inputs_from(request));
  // The tokenizer adds its own.
  if (request.at("addBos").get<bool>() && !bos.empty() && params.prompt.starts_with(bos))
    params.prompt.erase(0, bos.size());
  return common_json::object({{"prompt", params.prompt}, {"stops", params.additional_stops}});
}

common_json grammar_of(const common_json& schema) {
  return common_json::object({{"grammar", json_schema_to_grammar(schema, true)}});
}

common_json answer(Templates& templates, const std::string& line) {
  try {
    const common_json request = common_json::parse(line);
    if (request.contains("schema")) return grammar_of(request.at("schema"));
    return render(templates, request);
  } catch (const std::exception& error) {
    return common_json::object({{"error", std::string(error.what()).substr(0, kLongestError)}});
  }
}

}  // namespace

int main() {
  limit_memory();
  common_log_pause(common_log_main());  // its thread writes; nobody reads
  std::ios::sync_with_stdio(false);
  Templates templates;
  for (std::string line; std::getline(std::cin, line);) {
    limit_time();
    std::cout << answer(templates, line).dump_safe() << '\n' << std::flush;
  }
  return 0;
}
