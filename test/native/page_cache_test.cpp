// Reading ahead: every byte is told of once, stopping stops, trouble is none.
#include "model/page_cache.h"

#include <vector>

#include "check.h"
#include "temporary_file.h"

using namespace infernode;

TEST("progress rises to the file's size in pieces") {
  const TemporaryFolder folder;
  const std::string path = folder.write("file", std::string(20 << 20, 'x'));
  std::vector<std::uint64_t> told;
  CHECK(warm_page_cache(path, [&](std::uint64_t bytes) { return told.push_back(bytes), true; }));
  CHECK(told == std::vector<std::uint64_t>({8 << 20, 16 << 20, 20 << 20}));
}

TEST("a refused progress stops the reading") {
  const TemporaryFolder folder;
  const std::string path = folder.write("file", std::string(20 << 20, 'x'));
  int calls = 0;
  CHECK(!warm_page_cache(path, [&](std::uint64_t) { return ++calls < 2; }));
  CHECK_EQ(calls, 2);
}

TEST("a missing or empty file is left to the reader after it") {
  const TemporaryFolder folder;
  const auto never = [](std::uint64_t) { return false; };
  CHECK(warm_page_cache(folder.path() + "/missing", never));
  CHECK(warm_page_cache(folder.write("empty", ""), never));
}
