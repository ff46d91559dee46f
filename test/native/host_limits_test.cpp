// Limits of a host as files say them: cgroup v1 and v2, nested groups, none.
#include "model/host_limits.h"

#include <sys/resource.h>

#include <fstream>

#include "check.h"
#include "temporary_file.h"

using namespace infernode;

TEST("without limits the affinity and MemAvailable decide") {
  const TemporaryFolder root;
  root.write("proc/meminfo", "MemTotal: 100 kB\nMemFree: 1 kB\nMemAvailable:      64 kB\n");
  CHECK_EQ(usable_cpus_under(root.path(), 8), 8);
  CHECK_EQ(available_memory_bytes_under(root.path()), 64u * 1024);
}

TEST("nothing to read means one CPU of the mask and unknown memory") {
  const TemporaryFolder root;
  CHECK_EQ(usable_cpus_under(root.path(), 3), 3);
  CHECK_EQ(available_memory_bytes_under(root.path()), 0u);
}

TEST("a v2 quota is rounded up and never below one CPU") {
  const TemporaryFolder root;
  root.write("proc/self/cgroup", "0::/\n");
  root.write("sys/fs/cgroup/cpu.max", "250000 100000\n");
  CHECK_EQ(usable_cpus_under(root.path(), 16), 3);
  CHECK_EQ(usable_cpus_under(root.path(), 2), 2);
  root.write("sys/fs/cgroup/cpu.max", "1000 100000\n");
  CHECK_EQ(usable_cpus_under(root.path(), 16), 1);
  root.write("sys/fs/cgroup/cpu.max", "max 100000\n");
  CHECK_EQ(usable_cpus_under(root.path(), 16), 16);
}

TEST("the tightest group above a process counts") {
  const TemporaryFolder root;
  root.write("proc/self/cgroup", "0::/pod/container\n");
  root.write("proc/meminfo", "MemAvailable: 1000000 kB\n");
  root.write("sys/fs/cgroup/pod/container/cpu.max", "max 100000\n");
  root.write("sys/fs/cgroup/pod/cpu.max", "400000 100000\n");
  root.write("sys/fs/cgroup/pod/container/memory.max", "max\n");
  root.write("sys/fs/cgroup/pod/memory.max", "1000000\n");
  root.write("sys/fs/cgroup/pod/memory.current", "900000\n");
  root.write("sys/fs/cgroup/pod/memory.stat", "anon 1\ninactive_file 300000\nactive_file 7\n");
  CHECK_EQ(usable_cpus_under(root.path(), 64), 4);
  CHECK_EQ(available_memory_bytes_under(root.path()), 400000u);
}

TEST("a group over its limit has nothing left") {
  const TemporaryFolder root;
  root.write("sys/fs/cgroup/memory.max", "1000\n");
  root.write("sys/fs/cgroup/memory.current", "2000\n");
  CHECK_EQ(available_memory_bytes_under(root.path()), 0u);
}

TEST("v1 controllers are found by name and their no-limit is no limit") {
  const TemporaryFolder root;
  root.write("proc/self/cgroup", "5:cpuacct,cpu:/box\n4:memory:/box\n0::/\n");
  root.write("proc/meminfo", "MemAvailable: 1000000 kB\n");
  root.write("sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "150000\n");
  root.write("sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
  root.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  root.write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "500000\n");
  root.write("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "100000\n");
  root.write("sys/fs/cgroup/memory/box/memory.stat", "total_inactive_file 50000\n");
  CHECK_EQ(usable_cpus_under(root.path(), 8), 2);
  CHECK_EQ(available_memory_bytes_under(root.path()), 450000u);
}

TEST("limits of the process itself bound what is available") {
  constexpr std::uint64_t kRoom = 64 << 20;
  for (const auto resource : {RLIMIT_DATA, RLIMIT_AS}) {
    rlimit before{};
    CHECK_EQ(getrlimit(resource, &before), 0);
    std::ifstream status("/proc/self/status");
    std::uint64_t used = 0;
    const std::string wanted = resource == RLIMIT_DATA ? "VmData:" : "VmSize:";
    for (std::string word; status >> word;) {
      if (word == wanted && status >> used) break;
    }
    rlimit limit = before;
    limit.rlim_cur = used * 1024 + kRoom;
    CHECK_EQ(setrlimit(resource, &limit), 0);
    const std::uint64_t available = available_memory_bytes();
    CHECK_EQ(setrlimit(resource, &before), 0);
    CHECK(available > kRoom / 2 && available <= kRoom);
  }
}

TEST("this host offers a CPU and some memory") {
  CHECK(usable_cpus() >= 1);
  CHECK(available_memory_bytes() > 0);
}
