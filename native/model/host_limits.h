// What this process may use of its host: CPUs and memory, with the container's
// limits (cgroup v1 and v2) taken into account. Values read fresh at each
// call; nothing is cached, nothing is changed. Standard library and the
// kernel's files only. Any thread may call these.
#pragma once

#include <cstdint>
#include <string>

namespace infernode {

// CPUs worth of time this process may use: the least of the affinity mask and
// the cgroup quota (rounded up), at least 1.
int usable_cpus();

// Bytes that can still be allocated before the kernel starts killing: the
// least of MemAvailable, what each cgroup above this process has left
// (reclaimable page cache counted as free) and what `ulimit -d` and `ulimit -v`
// leave. 0 where nothing can be read.
std::uint64_t available_memory_bytes();

// The same from a given root, for tests: `root` holds proc/ and sys/.
int usable_cpus_under(const std::string& root, int affinity);
std::uint64_t available_memory_bytes_under(const std::string& root);

}  // namespace infernode
