// The GGUF reader: what it reads, and that each kind of bad file gets its own
// code and a sentence that helps.
#include "model/gguf_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <random>

#include "check.h"
#include "core/types.h"
#include "gguf_bytes.h"
#include "temporary_file.h"

using namespace infernode;

namespace {

// The code and sentence a call is refused with; fails the test where it is not.
struct Refusal {
  std::string code = "none";
  std::string message;
  bool says(const std::string& part) const { return message.find(part) != std::string::npos; }
};

Refusal refusal_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return {std::string(error_name(error.code())), error.what()};
  }
  check::fail(__FILE__, __LINE__, "was not refused");
  return {};
}

Refusal refusal_of_file(const std::string& path) {
  return refusal_of([&] { GgufFile::read(path); });
}

Refusal refusal_of_bytes(const std::string& bytes) {
  return refusal_of([&] { GgufFile::parse(bytes, bytes.size(), "model.gguf"); });
}

std::string name_of(ErrorCode code) { return std::string(error_name(code)); }

}  // namespace

TEST("a good header reads back with every type") {
  GgufBytes file = tiny_llama();
  file.set("a.u8", GgufBytes::number<std::uint32_t>(0) + "\xff");
  file.set("a.i8", GgufBytes::number<std::uint32_t>(1) + "\xff");
  file.set("a.i64", GgufBytes::number<std::uint32_t>(11) + GgufBytes::number<std::int64_t>(-5));
  file.set("a.f64", GgufBytes::number<std::uint32_t>(12) + GgufBytes::number<double>(0.5));
  file.flag("a.flag", true);
  const std::string bytes = file.file();
  const GgufFile read = GgufFile::parse(bytes, bytes.size(), "m");
  CHECK_EQ(read.version(), 3u);
  CHECK_EQ(read.string("general.architecture"), "llama");
  CHECK_EQ(read.integer("llama.block_count", 0), 1);
  CHECK_EQ(read.integer("a.u8", 0), 255);
  CHECK_EQ(read.integer("a.i8", 0), -1);
  CHECK_EQ(read.integer("a.i64", 0), -5);
  CHECK_EQ(read.integer("a.missing", 7), 7);
  CHECK(std::get<double>(read.find("a.f64")->value) == 0.5);
  CHECK(std::get<bool>(read.find("a.flag")->value));
  CHECK_EQ(read.tensors().size(), 11u);
  CHECK_EQ(read.tensor("blk.0.attn_k.weight")->bytes, 32u * 16 * 4);
  CHECK_EQ(read.tensor("blk.0.attn_k.weight")->type_name, "f32");
  CHECK(read.tensor("nothing") == nullptr);
}

TEST("a short array keeps its items, a long one its length and can still be read") {
  GgufBytes file = tiny_llama();
  file.numbers<std::int32_t>("short", 5, {1, -2, 3});
  const std::string bytes = file.file();
  const GgufFile read = GgufFile::parse(bytes, bytes.size(), "m");
  const auto& small = std::get<GgufArray>(read.find("short")->value);
  CHECK_EQ(small.items.size(), 3u);
  CHECK_EQ(std::get<std::int64_t>(small.items[1]), -2);
  const auto& tokens = std::get<GgufArray>(read.find("tokenizer.ggml.tokens")->value);
  CHECK_EQ(tokens.length, 261u);
  CHECK(tokens.items.empty());
  CHECK_EQ(read.strings(tokens).at(2), "</s>");
  CHECK_EQ(read.integers(std::get<GgufArray>(read.find("tokenizer.ggml.token_type")->value)).at(0),
           2);
}

TEST("a header larger than the first read is read whole from disk") {
  GgufBytes file = tiny_llama();
  file.strings("big", std::vector<std::string>(300000, "0123456789"));
  const TemporaryFolder folder;
  const GgufFile read = GgufFile::read(folder.write("m.gguf", file.file()));
  CHECK_EQ(std::get<GgufArray>(read.find("big")->value).length, 300000u);
}

TEST("a missing file is kModelNotFound") {
  const Refusal refusal = refusal_of_file("/nonexistent/model.gguf");
  CHECK_EQ(refusal.code, name_of(ErrorCode::kModelNotFound));
  CHECK(refusal.says("/nonexistent/model.gguf"));
}

TEST("a directory, a pipe and an unreadable file are kModelUnreadable") {
  const TemporaryFolder folder;
  CHECK_EQ(refusal_of_file(folder.path()).code, name_of(ErrorCode::kModelUnreadable));
  const std::string pipe = folder.path() + "/pipe";
  CHECK_EQ(mkfifo(pipe.c_str(), 0600), 0);
  CHECK_EQ(refusal_of_file(pipe).code, name_of(ErrorCode::kModelUnreadable));
  const std::string locked = folder.write("locked.gguf", tiny_llama().file());
  CHECK_EQ(chmod(locked.c_str(), 0), 0);
  if (geteuid() != 0) CHECK_EQ(refusal_of_file(locked).code, name_of(ErrorCode::kModelUnreadable));
}

TEST("an empty file and every truncation of a good one are kModelTruncated with both sizes") {
  const std::string whole = tiny_llama().file();
  for (std::size_t size = 0; size < whole.size(); size += size < 12000 ? 1 : 997) {
    const Refusal refusal = refusal_of_bytes(whole.substr(0, size));
    CHECK_EQ(refusal.code, name_of(ErrorCode::kModelTruncated));
    CHECK(refusal.says("there are " + std::to_string(size)));
  }
}

TEST("a file that is no GGUF says what it starts with and what it may be") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& content) {
    const Refusal refusal = refusal_of_file(folder.write("model.gguf", content));
    CHECK_EQ(refusal.code, name_of(ErrorCode::kModelNotGguf));
    return refusal;
  };
  CHECK(refused("hello, world").says("68 65 6c 6c ('hell')"));
  CHECK(refused("hello, world").says("47 47 55 46"));
  CHECK(refused(std::string("\x40\0\0\0\0\0\0\0{\"__metadata__\"", 23)).says("safetensors"));
  CHECK(refused("PK\x03\x04....").says("zip"));
  CHECK(refused("<!DOCTYPE html><html>").says("web page"));
  CHECK(refused("version https://git-lfs.github.com/spec/v1\n").says("git lfs pull"));
  CHECK(refused(std::string(100, '\0')).says("zeros"));
  CHECK(refused("tjgg....").says("2023"));
}

TEST("versions 1, 4, 99 and a big-endian file are kModelVersionUnsupported by number") {
  for (const std::uint32_t version : {0u, 1u, 4u, 99u}) {
    GgufBytes file = tiny_llama();
    file.version = version;
    const Refusal refusal = refusal_of_bytes(file.file());
    CHECK_EQ(refusal.code, name_of(ErrorCode::kModelVersionUnsupported));
    CHECK(refusal.says("version " + std::to_string(version)));
  }
  GgufBytes swapped = tiny_llama();
  swapped.version = 0x03000000;
  CHECK(refusal_of_bytes(swapped.file()).says("big-endian (version 3)"));
  GgufBytes two = tiny_llama();
  two.version = 2;
  CHECK_EQ(GgufFile::parse(two.file(), two.file().size(), "m").version(), 2u);
}

TEST("what cannot be believed is kModelCorrupt and named") {
  const auto refused = [](const GgufBytes& file, const std::string& named) {
    const Refusal refusal = refusal_of_bytes(file.file());
    CHECK_EQ(refusal.code, name_of(ErrorCode::kModelCorrupt));
    if (!refusal.says(named)) check::fail(named.c_str(), 0, refusal.message);
  };
  GgufBytes file = tiny_llama();
  file.keys.push_back({"general.name", GgufBytes::number<std::uint32_t>(7) + "\1"});
  refused(file, "'general.name' appears twice");
  file = tiny_llama();
  file.tensor_f32("output_norm.weight", {32});
  refused(file, "'output_norm.weight' appears twice");
  file = tiny_llama();
  file.set("odd", GgufBytes::number<std::uint32_t>(13) + "xxxx");
  refused(file, "'odd' has unknown type 13");
  file = tiny_llama();
  file.set("nested", GgufBytes::number<std::uint32_t>(9) + GgufBytes::number<std::uint32_t>(9) +
                         GgufBytes::number<std::uint64_t>(0));
  refused(file, "'nested' is an array of unknown or nested type 9");
  file = tiny_llama();
  file.keys.push_back({"bad\xff", GgufBytes::number<std::uint32_t>(7) + "\1"});
  refused(file, "not UTF-8");
  file = tiny_llama();
  file.u32("general.alignment", 33);
  refused(file, "general.alignment");
  file = tiny_llama();
  file.set("long",
           GgufBytes::number<std::uint32_t>(8) + GgufBytes::number<std::uint64_t>(1ull << 60));
  refused(file, "'long' claims 1152921504606846976 bytes");
  file = tiny_llama();
  file.tensors[1].shape = {32, 1, 1, 1, 1};
  refused(file, "'output_norm.weight' has 5 dimensions");
  file = tiny_llama();
  file.tensors[1].shape = {1ull << 40, 1ull << 40};
  refused(file, "'output_norm.weight' has an impossible shape");
  file = tiny_llama();
  file.tensors[1].shape = {0};
  refused(file, "impossible shape");
  file = tiny_llama();
  file.tensors[1].type = 31;
  refused(file, "unknown type 31");
  file = tiny_llama();
  file.tensors[2].type = 12;
  refused(file, "rows of 32 elements, not a multiple of 256");
  file = tiny_llama();
  file.tensors[1].bytes += 64;
  refused(file, "'blk.0.attn_norm.weight' lies at offset");
}

TEST("huge claims are refused without allocating them") {
  GgufBytes keys = tiny_llama();
  keys.extra_keys = 1ull << 62;
  CHECK_EQ(refusal_of_bytes(keys.file()).code, name_of(ErrorCode::kModelCorrupt));
  GgufBytes tensors = tiny_llama();
  tensors.extra_tensors = 30000;
  CHECK_EQ(refusal_of_bytes(tensors.file()).code, name_of(ErrorCode::kModelTruncated));
  GgufBytes data = tiny_llama();
  data.tensors.back().shape = {64, 1ull << 36};
  const Refusal refusal = refusal_of_bytes(data.file());
  CHECK_EQ(refusal.code, name_of(ErrorCode::kModelTruncated));
  CHECK(refusal.says("expected 17592186"));
}

TEST("messages show no control characters and bounded names") {
  GgufBytes file = tiny_llama();
  file.set("k\n\x1b[31m" + std::string(500, 'x'), GgufBytes::number<std::uint32_t>(99));
  const Refusal refusal = refusal_of_bytes(file.file());
  CHECK_EQ(refusal.code, name_of(ErrorCode::kModelCorrupt));
  CHECK(refusal.message.size() < 300);
  CHECK(refusal.message.find('\n') == std::string::npos);
}

TEST("20,000 damaged headers are read or refused, never worse") {
  const std::string good = tiny_llama().file();
  const std::size_t header = tiny_llama().header().size();
  std::mt19937_64 random(20261);  // the seed
  std::size_t accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = good;
    for (std::uint64_t edits = 1 + random() % 4; edits > 0; --edits) {
      const std::size_t at = random() % header;
      if (random() % 2 == 0)
        bytes[at] = static_cast<char>(random());
      else
        bytes.replace(at, 8, GgufBytes::number<std::uint64_t>(random() >> (random() % 64)));
    }
    try {
      GgufFile::parse(bytes, bytes.size(), "m");
      ++accepted;
    } catch (const Error&) {
    }
  }
  CHECK(accepted > 100);
  CHECK(accepted < 20000);
}
