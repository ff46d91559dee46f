// The CPUs and memory this process may use, taking the container's limits (cgroup v1 and v2) into
// account. Read afresh at each call; nothing is cached or changed. Standard library and kernel
// files only. Any thread may call these functions. And memory that goes back to the kernel.
#pragma once

#include <cstdint>
#include <string>

namespace infernode {

// CPUs this process may use: the minimum of the affinity mask and the cgroup quota (rounded up), at
// least 1.
int usable_cpus();

// Bytes that can still be allocated before the kernel starts killing processes: the minimum of
// MemAvailable, the remainder of each cgroup above this process (reclaimable page cache counts as
// free), and what `ulimit -d` and `ulimit -v` leave. 0 if nothing can be read.
std::uint64_t available_memory_bytes();

// Gives the kernel back what malloc keeps of freed memory: after work with large tables that do not
// stay, such as a vocabulary's. Takes milliseconds.
void return_freed_memory();

// The same with another root, for tests: `root` contains proc/ and sys/.
int usable_cpus_under(const std::string& root, int affinity);
std::uint64_t available_memory_bytes_under(const std::string& root);

}  // namespace infernode
