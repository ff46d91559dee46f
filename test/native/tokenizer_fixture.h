// Checkpoints that hold a tokenizer and no weights to speak of, and what their GGUF header says.
#pragma once

#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "check.h"
#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/tokenizer.h"
#include "core/types.h"
#include "model/gguf_file.h"
#include "model/gguf_writer.h"
#include "model/model_rules.h"
#include "temporary_file.h"

namespace infernode {

constexpr const char* kSpaceMark = "\xe2\x96\x81";

// Byte-level BPE of six tokens and two added ones, as the tokenizers library writes it.
inline Json byte_level() {
  return Json::parse(R"({
    "version": "1.0",
    "added_tokens": [
      {"id": 6, "content": "<|end|>", "special": true, "lstrip": false, "rstrip": false},
      {"id": 7, "content": "<tool>", "special": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "post_processor": null,
    "model": {"type": "BPE", "byte_fallback": true, "merges": ["a b", ["ab", "c"]],
              "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4, "d": 5}}})");
}

// SentencePiece's BPE: the unknown token, 256 bytes, two letters and their merge.
inline Json sentencepiece() {
  Json json = Json::parse(R"({
    "added_tokens": [{"id": 0, "content": "<unk>", "special": true}],
    "normalizer": {"type": "Sequence", "normalizers": [
      {"type": "Prepend", "prepend": "_"},
      {"type": "Replace", "pattern": {"String": " "}, "content": "_"}]},
    "pre_tokenizer": null,
    "model": {"type": "BPE", "unk_token": "<unk>", "merges": ["a b"], "vocab": {"<unk>": 0}}})");
  json["normalizer"]["normalizers"][0]["prepend"] = kSpaceMark;
  json["normalizer"]["normalizers"][1]["content"] = kSpaceMark;
  Json& vocab = json["model"]["vocab"];
  const std::string digits = "0123456789ABCDEF";
  for (std::size_t byte = 0; byte < 256; ++byte)
    vocab[std::string("<0x") + digits[byte / 16] + digits[byte % 16] + ">"] = byte + 1;
  vocab["a"] = 257;
  vocab["b"] = 258;
  vocab["ab"] = 259;
  return json;
}

class Checkpoint {
 public:
  Checkpoint() {
    std::string tensor = R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
    tensor.resize(56, ' ');
    write("model.safetensors", std::string("\x38\0\0\0\0\0\0\0", 8) + tensor + "1234");
    write("config.json", R"({"eos_token_id": 6})");
  }
  Checkpoint& write(const std::string& name, const std::string& content) {
    folder_.write(name, content);
    return *this;
  }
  Checkpoint& tokenizer(const Json& json) { return write("tokenizer.json", json.dump()); }

  GgufFile convert(const TokenizerNeeds& needs = {"llama", 8, {}}) {
    GgufWriter header;
    const WrittenTokenizer written =
        write_tokenizer(CheckpointFolder::open(folder_.path()), needs, header);
    tokens = written.tokens;
    notes = written.notes;
    bytes_ = header.header();
    GgufFile file = GgufFile::parse(bytes_, bytes_.size(), "the header");
    check_tokenizer_rules(file);
    return file;
  }
  std::uint64_t tokens = 0;
  std::vector<std::string> notes;

 private:
  TemporaryFolder folder_;
  std::string bytes_;
};

inline std::vector<std::string> strings(const GgufFile& file, const std::string& key) {
  const GgufValue* value = file.find(key);
  if (value == nullptr) return {};
  const auto views = file.strings(std::get<GgufArray>(value->value));
  return {views.begin(), views.end()};
}

inline std::vector<std::int64_t> numbers(const GgufFile& file, const std::string& key) {
  const GgufValue* value = file.find(key);
  return value == nullptr ? std::vector<std::int64_t>()
                          : file.integers(std::get<GgufArray>(value->value));
}

inline bool flag(const GgufFile& file, const std::string& key) {
  return std::get<bool>(file.find(key)->value);
}

inline void check_refused(const std::string& what, ErrorCode code, const std::string& named,
                          const std::function<void()>& call) {
  try {
    call();
    check::fail(what.c_str(), 0, "was not refused");
  } catch (const Error& error) {
    const std::string message = error.what();
    if (error.code() != code || message.find(named) == std::string::npos)
      check::fail(what.c_str(), 0, std::string(error_name(error.code())) + ": " + message);
  }
}

}  // namespace infernode
