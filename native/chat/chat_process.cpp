// llama.cpp's chat templates and answer parsers in a process of their own: `infernode-chat` reads
// one JSON request per line (a conversation to render or an answer to parse) and writes one line in
// reply. The only folder that includes llama-common. A template is a program written by the model's
// author: it may loop, recurse or allocate without end, which then ends this process only. Serves
// one model. The parent process limits the time of an answer, this one its own processor time and
// memory.
#include <sys/resource.h>

#include <cstdint>
#include <exception>
#include <iostream>
#include <string>

#include "answer_parser.h"
#include "conversation.h"
#include "json.h"
#include "log.h"

namespace {

constexpr std::size_t kLongestError = 300;     // bytes
constexpr std::uint64_t kMemory = 2ULL << 30;  // bytes of address space
constexpr std::uint64_t kSeconds = 10;         // of processor time per request

void limit(int resource, std::uint64_t value) {
  const auto most = static_cast<rlim_t>(value);
  const rlimit limits{most, RLIM_INFINITY};
  setrlimit(static_cast<decltype(RLIMIT_CORE)>(resource), &limits);
}

void limit_memory() {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_AS, kMemory);
}

// The processor time of the request that begins: a template that loops ends this process, even
// where no parent is left to enforce its own limit.
void limit_time() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  limit(RLIMIT_CPU,
        static_cast<std::uint64_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + kSeconds);
}

// Everything cached from one request to the next.
struct Caches {
  infernode::chat::Templates templates;
  infernode::chat::AnswerParser parser;
};

common_json answer(Caches& caches, const std::string& line) {
  try {
    const common_json request = common_json::parse(line);
    if (request.contains("messages")) return infernode::chat::render(caches.templates, request);
    return caches.parser.parse(request);
  } catch (const std::exception& error) {
    return common_json::object({{"error", std::string(error.what()).substr(0, kLongestError)}});
  }
}

}  // namespace

int main() {
  limit_memory();
  common_log_pause(common_log_main());  // its thread writes, and the log is never read
  std::ios::sync_with_stdio(false);
  Caches caches;
  for (std::string line; std::getline(std::cin, line);) {
    limit_time();
    std::cout << answer(caches, line).dump_safe() << '\n' << std::flush;
  }
  return 0;
}
