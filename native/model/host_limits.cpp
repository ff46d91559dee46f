// Reads /proc and /sys/fs/cgroup; see host_limits.h. A container sees its own cgroup as the root of
// its mount, a host process sees a path below it: walking from the named group up to the mount's
// root covers both.
#include "model/host_limits.h"

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__GLIBC__)
#include <malloc.h>
#endif
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <thread>
#include <vector>

namespace infernode {

namespace {

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();
// cgroup v1 writes "no limit" as the greatest multiple of a page.
constexpr std::uint64_t kLimitV1 = std::uint64_t{1} << 62;

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<std::uint64_t> number_in(const std::string& path) {
  std::istringstream line(first_line(path));
  std::uint64_t number;
  if (line >> number) return number;
  return std::nullopt;
}

// The number after `name` in a file with lines "name number".
std::optional<std::uint64_t> field_in(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string word;
  while (file >> word) {
    std::uint64_t number;
    if (word == name && file >> number) return number;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::nullopt;
}

// This process's group in the hierarchy of `controller` ("" for v2): the last
// field of "4:cpu,cpuacct:/path" or "0::/path".
std::string group_of(const std::string& root, const std::string& controller) {
  std::ifstream file(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool mine = controller.empty() ? names == ",,"
                                         : names.find("," + controller + ",") != std::string::npos;
    if (mine) return line.substr(second + 1);
  }
  return "/";
}

// Folders from the process's group up to the mount's root, innermost first.
std::vector<std::string> group_folders(const std::string& root, const std::string& controller) {
  const std::string mount = root + "/sys/fs/cgroup" + (controller.empty() ? "" : "/" + controller);
  std::string group = group_of(root, controller);
  std::vector<std::string> folders;
  while (group.size() > 1) {
    folders.push_back(mount + group);
    group.resize(group.rfind('/'));
  }
  folders.push_back(mount);
  return folders;
}

double quota_v2(const std::string& folder) {
  std::istringstream line(first_line(folder + "/cpu.max"));
  double quota, period;
  if (line >> quota >> period && period > 0) return quota / period;
  return std::numeric_limits<double>::infinity();
}

double quota_v1(const std::string& folder) {
  std::istringstream line(first_line(folder + "/cpu.cfs_quota_us"));
  double quota;
  const auto period = number_in(folder + "/cpu.cfs_period_us");
  if (line >> quota && quota > 0 && period && *period > 0) {
    return quota / static_cast<double>(*period);
  }
  return std::numeric_limits<double>::infinity();
}

// The remainder of one of the process's own limits, given the usage that `field` of its status file
// reports.
std::uint64_t room_below(auto resource, const char* field) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return kUnlimited;
  const auto kilobytes = field_in("/proc/self/status", field);
  if (limit.rlim_cur == RLIM_INFINITY || !kilobytes) return kUnlimited;
  return limit.rlim_cur - std::min<std::uint64_t>(limit.rlim_cur, *kilobytes * 1024);
}

// What a group may still allocate: limit - usage + reclaimable page cache.
std::uint64_t room(std::optional<std::uint64_t> limit, std::optional<std::uint64_t> usage,
                   std::optional<std::uint64_t> reclaimable) {
  if (!limit || *limit >= kLimitV1) return kUnlimited;
  const std::uint64_t used =
      usage.value_or(0) - std::min(usage.value_or(0), reclaimable.value_or(0));
  return *limit - std::min(*limit, used);
}

}  // namespace

int usable_cpus_under(const std::string& root, int affinity) {
  double quota = std::numeric_limits<double>::infinity();
  for (const std::string& folder : group_folders(root, "")) {
    quota = std::min(quota, quota_v2(folder));
  }
  for (const std::string& folder : group_folders(root, "cpu")) {
    quota = std::min(quota, quota_v1(folder));
  }
  const double cpus = std::min(std::ceil(quota), static_cast<double>(affinity));
  return std::max(1, static_cast<int>(cpus));
}

int usable_cpus() {
  int affinity = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  // Fails on hosts with more than 1,024 CPUs, whose mask does not fit the set.
  if (sched_getaffinity(0, sizeof set, &set) == 0) affinity = CPU_COUNT(&set);
#endif
  return usable_cpus_under("", affinity);
}

std::uint64_t available_memory_bytes_under(const std::string& root) {
  std::uint64_t available = kUnlimited;
  if (const auto kilobytes = field_in(root + "/proc/meminfo", "MemAvailable:")) {
    available = *kilobytes * 1024;
  }
  for (const std::string& folder : group_folders(root, "")) {
    const std::string stat = folder + "/memory.stat";
    available = std::min(
        available, room(number_in(folder + "/memory.max"), number_in(folder + "/memory.current"),
                        field_in(stat, "inactive_file")));
  }
  for (const std::string& folder : group_folders(root, "memory")) {
    const std::string stat = folder + "/memory.stat";
    available = std::min(available, room(number_in(folder + "/memory.limit_in_bytes"),
                                         number_in(folder + "/memory.usage_in_bytes"),
                                         field_in(stat, "total_inactive_file")));
  }
  return available == kUnlimited ? 0 : available;
}

std::uint64_t available_memory_bytes() {
  const std::uint64_t outside = available_memory_bytes_under("");
  const std::uint64_t own =
      std::min(room_below(RLIMIT_DATA, "VmData:"), room_below(RLIMIT_AS, "VmSize:"));
  if (own == kUnlimited) return outside;
  return outside == 0 ? own : std::min(outside, own);
}

void return_freed_memory() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

}  // namespace infernode
