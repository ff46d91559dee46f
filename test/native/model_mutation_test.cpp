// Damages the header of a good model file in many ways and loads each result
// in child processes: no mutant may end a process, hang it for 10 seconds or
// make it print. The driver forks children; a child works through seeds and
// leaves each outcome in shared memory, so a death costs one mutant.
//   model_mutation_test                                            1,000 of the embedded model
//   model_mutation_test <model.gguf | tiny> <first seed> <count>   as many as asked for
//   model_mutation_test <model.gguf | tiny> <seed> write <path>    keeps one mutant
// One mutant is a function of the file and its seed alone.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <map>
#include <string>

#include "core/types.h"
#include "model/llama_model.h"
#include "model/llama_runtime.h"
#include "model_mutator.h"
#include "temporary_file.h"

using namespace infernode;

namespace {

constexpr const char* kEmbeddedModel = "assets/tinytale-q8_0.gguf";
constexpr std::uint8_t kNotStarted = 255;
constexpr std::uint8_t kStarted = 254;
constexpr std::uint8_t kLoaded = 253;
constexpr std::uint8_t kOtherException = 252;
constexpr unsigned kSecondsPerMutant = 10;
// A net under runaway allocations; the address sanitizer reserves more.
#if defined(__SANITIZE_ADDRESS__)
constexpr rlim_t kAddressSpace = RLIM_INFINITY;
#else
constexpr rlim_t kAddressSpace = rlim_t{4} << 30;
#endif
constexpr std::uint64_t kJobs = 2;

struct Outcomes {
  std::uint8_t* of_mutant;  // a code above, or an ErrorCode
  explicit Outcomes(std::uint64_t count) {
    void* memory = mmap(nullptr, count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    of_mutant = static_cast<std::uint8_t*>(memory);
    std::fill_n(of_mutant, count, kNotStarted);
  }
};

std::string name_of(std::uint8_t outcome) {
  if (outcome == kLoaded) return "loaded";
  if (outcome == kOtherException) return "OTHER EXCEPTION";
  return std::string(error_name(static_cast<ErrorCode>(outcome)));
}

// A file that takes one mutant after another; only headers are written, the
// weights behind them stay whatever they are.
class MutantFile {
 public:
  MutantFile() : path_(folder_.write("mutant.gguf", "")), descriptor_(open(path_.c_str(), O_RDWR)) {
    if (descriptor_ < 0) std::abort();
  }
  const std::string& hold(const Mutant& mutant) {
    const auto size = static_cast<off_t>(mutant.file_bytes);
    const auto head =
        static_cast<std::size_t>(std::min<std::uint64_t>(mutant.header.size(), mutant.file_bytes));
    if (ftruncate(descriptor_, size) != 0) std::abort();
    if (pwrite(descriptor_, mutant.header.data(), head, 0) != static_cast<ssize_t>(head)) {
      std::abort();
    }
    return path_;
  }

 private:
  TemporaryFolder folder_;
  std::string path_;
  int descriptor_;
};

std::uint8_t load_mutant(const std::string& path) {
  const std::atomic<bool> cancelled{false};
  LoadOptions options;
  options.path = path;
  try {
    const auto model = LlamaModel::load(options, {}, cancelled);
    model->vocab().tokenize("The cat \xc3\xa9\n", true, true);
    return kLoaded;
  } catch (const Error& error) {
    return static_cast<std::uint8_t>(error.code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return kOtherException;
  }
}

// Works through [next, end) until it is done or dead.
[[noreturn]] void run_child(const GoodModel& good, std::uint64_t first_seed, std::uint64_t next,
                            std::uint64_t end, Outcomes& outcomes, MutantFile& file, int output) {
  const rlimit space{kAddressSpace, kAddressSpace};
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_AS, &space);
  setrlimit(RLIMIT_CORE, &no_core);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  for (; next < end; ++next) {
    outcomes.of_mutant[next] = kStarted;
    alarm(kSecondsPerMutant);
    outcomes.of_mutant[next] = load_mutant(file.hold(mutate(good, first_seed + next)));
  }
  std::fflush(nullptr);
  _exit(0);
}

// One child after another on [next, end); a death costs one mutant. The driver
// has no threads: a child forked while another thread holds the allocator's
// lock would wait for it for ever.
class Lane {
 public:
  Lane(const GoodModel& good, std::uint64_t first_seed, std::uint64_t begin, std::uint64_t end,
       Outcomes& outcomes)
      : good_(good), first_seed_(first_seed), next_(begin), end_(end), outcomes_(outcomes) {}

  pid_t child() const { return child_; }
  int failures() const { return failures_; }

  // Starts a child on what is left; none when nothing is.
  void start() {
    child_ = kNoChild;
    if (next_ >= end_) return;
    said_file_ = std::tmpfile();
    std::fflush(nullptr);
    child_ = fork();
    if (child_ == 0)
      run_child(good_, first_seed_, next_, end_, outcomes_, file_, fileno(said_file_));
  }

  // Takes the account of the child that ended with `status`.
  void close(int status) {
    std::string said(4096, '\0');
    said.resize(static_cast<std::size_t>(
        std::max<ssize_t>(0, pread(fileno(said_file_), said.data(), said.size(), 0))));
    std::fclose(said_file_);
    while (next_ < end_ && outcomes_.of_mutant[next_] < kStarted) ++next_;
    const bool died = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (!died && said.empty()) return;
    ++failures_;
    std::printf("seed %llu: %s %d; it printed: %s\n",
                static_cast<unsigned long long>(first_seed_ + next_),
                died ? "the process died of signal" : "the process printed, status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), said.c_str());
    ++next_;
  }

 private:
  static constexpr pid_t kNoChild = -1;
  const GoodModel& good_;
  std::uint64_t first_seed_;
  std::uint64_t next_;
  std::uint64_t end_;
  Outcomes& outcomes_;
  MutantFile file_;
  std::FILE* said_file_ = nullptr;
  pid_t child_ = kNoChild;
  int failures_ = 0;
};

// Runs every lane to its end; returns how many mutants failed.
int drive(std::list<Lane>& lanes) {
  for (Lane& lane : lanes) lane.start();
  int status = 0;
  for (pid_t ended = 0; (ended = waitpid(-1, &status, 0)) > 0;) {
    for (Lane& lane : lanes) {
      if (lane.child() != ended) continue;
      lane.close(status);
      lane.start();
    }
  }
  int failures = 0;
  for (const Lane& lane : lanes) failures += lane.failures();
  return failures;
}

int run(const GoodModel& good, std::uint64_t first_seed, std::uint64_t count) {
  const auto start = std::chrono::steady_clock::now();
  Outcomes outcomes(count);
  std::list<Lane> lanes;
  for (std::uint64_t job = 0; job < kJobs; ++job) {
    lanes.emplace_back(good, first_seed, count * job / kJobs, count * (job + 1) / kJobs, outcomes);
  }
  const int failures = drive(lanes);
  std::map<std::string, std::uint64_t> tally;
  for (std::uint64_t i = 0; i < count; ++i) {
    ++tally[outcomes.of_mutant[i] >= kStarted ? "DIED" : name_of(outcomes.of_mutant[i])];
  }
  for (const auto& [name, times] : tally)
    std::printf("%-32s %llu\n", name.c_str(), static_cast<unsigned long long>(times));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("%llu mutants from seed %llu in %.1f s: %d failures\n",
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(first_seed),
              seconds, failures);
  return failures > 0 || tally.contains("OTHER EXCEPTION") ? 1 : 0;
}

}  // namespace

int main(int arguments, char** argument) {
  if (arguments == 1) return run(read_good_model(kEmbeddedModel), 1, 1000);
  if (arguments < 4) {
    std::fprintf(stderr,
                 "model_mutation_test [<model.gguf | tiny> <seed> <count | write <path>>]\n");
    return 2;
  }
  const GoodModel good = read_good_model(argument[1]);
  const std::uint64_t seed = std::strtoull(argument[2], nullptr, 10);
  if (std::string(argument[3]) == "write" && arguments == 5) {
    return write_mutant(good, seed, argument[4]) ? 0 : 1;
  }
  return run(good, seed, std::strtoull(argument[3], nullptr, 10));
}
