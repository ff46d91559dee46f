// Feeds a reader with damaged copies of good inputs, in child processes: no mutant may end a
// process, hang it, print, or throw what is no Error. A mutant is a function of the inputs and
// its seed. The driver reports the seed of each failure and goes on behind it.
//   <reader>_fuzz_test                            as many mutants as a test may take
//   <reader>_fuzz_test <first seed> <count>       as many as asked for
//   <reader>_fuzz_test <seed> write <path>        keeps one mutant
#pragma once

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.h"

namespace fuzz {

constexpr unsigned kSecondsPerMutant = 10;
// A net under runaway allocations; the sanitizers reserve more.
#if defined(__SANITIZE_ADDRESS__)
constexpr rlim_t kAddressSpace = RLIM_INFINITY;
#else
constexpr rlim_t kAddressSpace = rlim_t{1} << 30;
#endif

// What JSON is made of, before the words of one reader.
inline std::vector<std::string> json_words(std::vector<std::string> own) {
  std::vector<std::string> words = {"\"", "\\", "\\u0000", "\\ud800", "[",    "]",
                                    "{",  "}",  ",",       ":",       "null", "true"};
  words.insert(words.end(), own.begin(), own.end());
  return words;
}

struct Reader {
  std::vector<std::string> inputs;               // good ones
  std::vector<std::string> words;                // that mean something to the reader
  std::function<void(const std::string&)> read;  // throws infernode::Error for a bad input
  std::uint64_t in_tests = 20'000;               // mutants, where the caller names no count
  rlim_t address_space = kAddressSpace;
};

// Edits of bytes, of words, and of pieces between two inputs.
class Mutator {
 public:
  Mutator(const Reader& reader, std::uint64_t seed) : reader_(reader), random_(seed) {}

  std::string mutant() {
    std::string bytes = one_of(reader_.inputs);
    for (std::uint64_t edits = 1 + below(4); edits > 0; --edits) edit(bytes);
    return bytes;
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return limit == 0 ? 0 : random_() % limit; }
  const std::string& one_of(const std::vector<std::string>& items) {
    return items[below(items.size())];
  }
  std::string piece_of(const std::string& bytes) {
    const std::size_t begin = below(bytes.size());
    return bytes.substr(begin, 1 + below(64));
  }
  // A place where a word of JSON begins or ends more often than elsewhere.
  std::size_t place_in(const std::string& bytes) {
    const std::size_t place = below(bytes.size() + 1);
    if (below(2) == 0) return place;
    const std::size_t mark = bytes.find_first_of("\"[]{},:", place);
    return mark == std::string::npos ? place : mark + below(2);
  }

  void edit(std::string& bytes) {
    const std::size_t place = place_in(bytes);
    switch (below(9)) {
      case 0:
        if (place < bytes.size()) bytes[place] = static_cast<char>(bytes[place] ^ (1 << below(8)));
        break;
      case 1:
        if (place < bytes.size()) bytes[place] = static_cast<char>(below(256));
        break;
      case 2:
        bytes.insert(place, one_of(reader_.words));
        break;
      case 3:
        replace_number(bytes, place);
        break;
      case 4:
        bytes.erase(place, 1 + below(16));
        break;
      case 5:
        bytes.insert(place, piece_of(bytes.empty() ? one_of(reader_.inputs) : bytes));
        break;
      case 6:
        bytes.insert(place, piece_of(one_of(reader_.inputs)));
        break;
      case 7:
        if (below(4) == 0) bytes.resize(place);
        break;
      default:
        bytes.replace(std::min(place, bytes.size()), 1 + below(8), one_of(reader_.words));
    }
  }
  void replace_number(std::string& bytes, std::size_t place) {
    static constexpr std::array<const char*, 14> kNumbers = {"0",
                                                             "-1",
                                                             "1",
                                                             "7",
                                                             "255",
                                                             "65536",
                                                             "2147483648",
                                                             "4294967295",
                                                             "9223372036854775807",
                                                             "18446744073709551615",
                                                             "18446744073709551616",
                                                             "1e308",
                                                             "0.5",
                                                             "1099511627777"};
    const std::size_t begin = bytes.find_first_of("0123456789", std::min(place, bytes.size()));
    if (begin == std::string::npos) return;
    const std::size_t end = bytes.find_first_not_of("0123456789.", begin);
    bytes.replace(begin, end == std::string::npos ? end : end - begin,
                  kNumbers[below(kNumbers.size())]);
  }

  const Reader& reader_;
  std::mt19937_64 random_;
};

struct Shared {
  std::uint64_t seed = 0;      // at work
  std::uint64_t accepted = 0;  // mutants that were read
  std::uint64_t refused = 0;
};

[[noreturn]] inline void run_child(const Reader& reader, std::uint64_t end, Shared& shared,
                                   int output) {
  const rlimit space{reader.address_space, reader.address_space};
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_AS, &space);
  setrlimit(RLIMIT_CORE, &no_core);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  for (; shared.seed < end; ++shared.seed) {
    alarm(kSecondsPerMutant);
    try {
      reader.read(Mutator(reader, shared.seed).mutant());
      ++shared.accepted;
    } catch (const infernode::Error& error) {
      if (std::string_view(error.what()).empty()) std::abort();
      ++shared.refused;
    }  // anything else ends the child
  }
  std::fflush(nullptr);
  _exit(0);
}

// Returns whether the child worked to the end in silence; says what it did otherwise.
inline bool survives(const Reader& reader, std::uint64_t end, Shared& shared) {
  std::FILE* said_file = std::tmpfile();
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) run_child(reader, end, shared, fileno(said_file));
  int status = 0;
  waitpid(child, &status, 0);
  std::string said(8192, '\0');
  said.resize(static_cast<std::size_t>(
      std::max<ssize_t>(0, pread(fileno(said_file), said.data(), said.size(), 0))));
  std::fclose(said_file);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && said.empty()) return true;
  std::printf("seed %llu: %s %d; it printed: %s\n", static_cast<unsigned long long>(shared.seed),
              WIFSIGNALED(status) ? "died of signal" : "ended with status",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), said.c_str());
  return false;
}

inline int run(const Reader& reader, std::uint64_t first, std::uint64_t count) {
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  Shared& shared = *new (memory) Shared{first};
  int failures = 0;
  for (const std::string& input : reader.inputs) reader.read(input);  // good ones are good
  while (shared.seed < first + count) {
    if (survives(reader, first + count, shared)) break;
    ++failures;
    ++shared.seed;
  }
  std::printf("%llu mutants from seed %llu: %llu read, %llu refused, %d failures\n",
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(shared.accepted),
              static_cast<unsigned long long>(shared.refused), failures);
  return failures > 0 || shared.accepted == 0 || shared.refused == 0 ? 1 : 0;
}

inline int main(const Reader& reader, int arguments, char** argument) {
  if (arguments == 1) return run(reader, 1, reader.in_tests);
  const std::uint64_t seed = std::strtoull(argument[1], nullptr, 10);
  if (arguments == 4 && std::string_view(argument[2]) == "write") {
    std::ofstream(argument[3], std::ios::binary) << Mutator(reader, seed).mutant();
    return 0;
  }
  if (arguments == 3) return run(reader, seed, std::strtoull(argument[2], nullptr, 10));
  std::fprintf(stderr, "%s [<seed> <count | write <path>>]\n", argument[0]);
  return 2;
}

}  // namespace fuzz
