// Tokenizers of checkpoints as GGUF values, from small files: what is written, and every
// malformed file refused with its name. What llama.cpp makes of them: llama_tokenizer_test.
#include "checkpoint/tokenizer.h"

#include "tokenizer_fixture.h"

using namespace infernode;

TEST("tokens, merges and kinds are those of tokenizer.json, holes and missing rows unused") {
  Json json = byte_level();
  json["added_tokens"][1]["id"] = 8;
  Checkpoint checkpoint;
  const GgufFile file = checkpoint.tokenizer(json).convert({"qwen2", 10, {}});
  CHECK_EQ(checkpoint.tokens, std::uint64_t{10});
  CHECK_EQ(file.string("tokenizer.ggml.model"), "gpt2");
  CHECK_EQ(file.string("tokenizer.ggml.pre"), "gpt-2");
  CHECK(strings(file, "tokenizer.ggml.tokens") ==
        (std::vector<std::string>{"a", "b", "c", "ab", "abc", "d", "<|end|>", "[PAD7]", "<tool>",
                                  "[PAD9]"}));
  CHECK(numbers(file, "tokenizer.ggml.token_type") ==
        (std::vector<std::int64_t>{1, 1, 1, 1, 1, 1, 3, 5, 4, 5}));
  CHECK(strings(file, "tokenizer.ggml.merges") == (std::vector<std::string>{"a b", "ab c"}));
}

TEST("what a padding token would be called is not taken twice") {
  Json json = byte_level();
  json["model"]["vocab"].erase("d");
  json["model"]["vocab"]["[PAD8]"] = 5;
  const GgufFile file = Checkpoint().tokenizer(json).convert({"llama", 9, {}});
  CHECK_EQ(strings(file, "tokenizer.ggml.tokens")[8], "[PAD8]_");
}

TEST("gemma3 leaves out added tokens beyond its rows, others are refused") {
  Json json = byte_level();
  Checkpoint checkpoint;
  checkpoint.tokenizer(json).convert({"gemma3", 7, {}});
  CHECK_EQ(checkpoint.tokens, std::uint64_t{7});
  checkpoint.convert({"gemma3", 20, {}});
  CHECK_EQ(checkpoint.tokens, std::uint64_t{8});
  check_refused("rows", ErrorCode::kModelCorrupt, "only 7 rows", [&] {
    checkpoint.convert({"llama", 7, {}});
  });
}

TEST("SentencePiece has scores in the order of merges, bytes, and its space in front") {
  const GgufFile file = Checkpoint().tokenizer(sentencepiece()).convert({"llama", 260, {}});
  CHECK_EQ(file.string("tokenizer.ggml.model"), "llama");
  CHECK(flag(file, "tokenizer.ggml.add_space_prefix"));
  const auto kinds = numbers(file, "tokenizer.ggml.token_type");
  CHECK_EQ(kinds[0], 2);
  CHECK_EQ(kinds[1], 6);
  CHECK_EQ(kinds[256], 6);
  CHECK_EQ(kinds[259], 1);
}

TEST("every token of the lists ends a generation, the tokenizer's own first") {
  const GgufFile file =
      Checkpoint()
          .tokenizer(byte_level())
          .write("config.json", R"({"eos_token_id": [2, 5]})")
          .write("generation_config.json", R"({"eos_token_id": [4, 2, 6, 1]})")
          .write("tokenizer_config.json", R"({"eos_token": {"content": "d"}, "bos_token": "a"})")
          .convert();
  CHECK(numbers(file, "infernode.end_of_generation_token_ids") ==
        (std::vector<std::int64_t>{5, 4, 2, 6, 1}));
  CHECK_EQ(file.integer("tokenizer.ggml.eos_token_id", -1), 5);
  CHECK_EQ(file.integer("tokenizer.ggml.eot_token_id", -1), 6);  // "<|end|>"
  CHECK_EQ(file.integer("tokenizer.ggml.eom_token_id", -1), 4);
  CHECK_EQ(file.integer("tokenizer.ggml.bos_token_id", -1), 0);
}

TEST("a beginning is added where the config says, else where the post-processor does") {
  Json json = byte_level();
  json["post_processor"] = Json::parse(R"({"type": "Sequence", "processors": [
    {"type": "ByteLevel"},
    {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|end|>", "type_id": 0}},
                                              {"Sequence": {"id": "A", "type_id": 0}}]}]})");
  Checkpoint checkpoint;
  const GgufFile from_template = checkpoint.tokenizer(json).convert();
  CHECK(flag(from_template, "tokenizer.ggml.add_bos_token"));
  CHECK(!flag(from_template, "tokenizer.ggml.add_eos_token"));
  CHECK_EQ(from_template.integer("tokenizer.ggml.bos_token_id", -1), 6);
  checkpoint.write("tokenizer_config.json", R"({"add_bos_token": false})");
  CHECK(!flag(checkpoint.convert(), "tokenizer.ggml.add_bos_token"));
  CHECK(!flag(Checkpoint().tokenizer(byte_level()).convert(), "tokenizer.ggml.add_bos_token"));
}

TEST("chat templates come from each of the files that may hold them") {
  Checkpoint checkpoint;
  checkpoint.tokenizer(byte_level());
  checkpoint.write("tokenizer_config.json", R"({"chat_template": [
    {"name": "default", "template": "one"}, {"name": "tool_use", "template": "two"}]})");
  GgufFile file = checkpoint.convert();
  CHECK_EQ(file.string("tokenizer.chat_template"), "one");
  CHECK_EQ(file.string("tokenizer.chat_template.tool_use"), "two");
  CHECK(strings(file, "tokenizer.chat_templates") == std::vector<std::string>{"tool_use"});
  file = checkpoint.write("chat_template.json", R"({"chat_template": "three"})").convert();
  CHECK_EQ(file.string("tokenizer.chat_template"), "three");
  CHECK(file.find("tokenizer.chat_template.tool_use") == nullptr);
  checkpoint.write("chat_template.jinja", "four");
  file = checkpoint.write("additional_chat_templates/rag.jinja", "five").convert();
  CHECK_EQ(file.string("tokenizer.chat_template"), "four");
  CHECK_EQ(file.string("tokenizer.chat_template.rag"), "five");
}

TEST("an unknown pre-tokenizer is refused, and the caller can name one") {
  Json json = byte_level();
  json["pre_tokenizer"] = Json::parse(R"({"type": "Sequence", "pretokenizers": [
    {"type": "Split", "pattern": {"Regex": "x+"}, "behavior": "Isolated", "invert": false},
    {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]})");
  Checkpoint checkpoint;
  checkpoint.tokenizer(json);
  for (const char* named : {"preTokenizer", "split: x+", "tokenizer.json"})
    check_refused(named, ErrorCode::kModelFormatUnsupported, named, [&] { checkpoint.convert(); });
  CHECK_EQ(checkpoint.convert({"llama", 8, "falcon"}).string("tokenizer.ggml.pre"), "falcon");
  check_refused("name", ErrorCode::kInvalidOption, "llama-bpe, ", [&] {
    checkpoint.convert({"llama", 8, "no-such-name"});
  });
}

namespace {

// byte_level() whose words are split as tekken's and GPT-4o's are.
Json cased_words(const std::string& after, const std::string& digits) {
  const std::string begin = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])";
  const std::string end = R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])";
  Json split = {{"type", "Split"}, {"behavior", "Isolated"}, {"invert", false}};
  split["pattern"]["Regex"] = begin + "*" + end + "+" + after + "|" + begin + "+" + end + "*" +
                              after + "|" + digits +
                              R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  const Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  Json json = byte_level();
  json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, bytes}}};
  return json;
}

}  // namespace

TEST("a pre-tokenizer that llama.cpp has nearly is taken, and a note names it") {
  Checkpoint checkpoint;
  Json json = cased_words("", "\\p{N}");
  json["model"]["ignore_merges"] = true;
  const GgufFile file = checkpoint.tokenizer(json).convert();
  CHECK_EQ(file.string("tokenizer.ggml.pre"), "tekken");
  CHECK_EQ(checkpoint.notes.size(), std::size_t{1});
  for (const char* part : {"tokenizer.json", "tekken", "combining marks", "other tokens"})
    CHECK(checkpoint.notes.front().find(part) != std::string::npos);
  // One named by the caller is the caller's choice, and exact ones need no note.
  checkpoint.convert({"llama", 8, "tekken"});
  CHECK(checkpoint.notes.empty());
  checkpoint.tokenizer(byte_level()).convert();
  CHECK(checkpoint.notes.empty());
}

TEST("merges that llama.cpp ignores are told where tokens are made by none") {
  Json json = cased_words("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", "\\p{N}{1,3}");
  Checkpoint checkpoint;
  CHECK_EQ(checkpoint.tokenizer(json).convert().string("tokenizer.ggml.pre"),
           "granite-embed-multi-97m");
  CHECK(checkpoint.notes.empty());  // every token of several characters is a merge's
  json["model"]["vocab"].erase("d");
  json["model"]["vocab"]["bcd"] = 5;
  checkpoint.tokenizer(json).convert();
  CHECK_EQ(checkpoint.notes.size(), std::size_t{1});
  for (const char* part :
       {"tokenizer.json", "ignore_merges", "granite-embed-multi-97m", "1 token", "'bcd'"})
    CHECK(checkpoint.notes.front().find(part) != std::string::npos);
  json["model"]["ignore_merges"] = true;
  checkpoint.tokenizer(json).convert();
  CHECK(checkpoint.notes.empty());
}

namespace {

struct Malformed {
  std::string name;
  ErrorCode code;
  std::string named;
  std::function<void(Json&)> change;
};
constexpr auto kCorrupt = ErrorCode::kModelCorrupt;
constexpr auto kFormat = ErrorCode::kModelFormatUnsupported;

// Each is refused, and the message names what is wrong and the file.
void check_malformed(const std::vector<Malformed>& cases) {
  for (const Malformed& malformed : cases) {
    Json json = byte_level();
    malformed.change(json);
    for (const std::string& named : {malformed.named, std::string("tokenizer.json")})
      check_refused(malformed.name, malformed.code, named,
                    [&] { Checkpoint().tokenizer(json).convert(); });
  }
}

}  // namespace

TEST("malformed models and tokens are refused, each with its file and what is wrong") {
  check_malformed({
      {"no model", kCorrupt, "the key model is missing", [](Json& j) { j.erase("model"); }},
      {"Unigram", kFormat, "Unigram", [](Json& j) { j["model"]["type"] = "Unigram"; }},
      {"WordPiece", kFormat, "WordPiece", [](Json& j) { j["model"]["type"] = "WordPiece"; }},
      {"suffix", kFormat, "end_of_word_suffix",
       [](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }},
      {"vocab is a list", kCorrupt, "model.vocab", [](Json& j) { j["model"]["vocab"] = {1}; }},
      {"id twice", kCorrupt, "id 1 is both", [](Json& j) { j["model"]["vocab"]["c"] = 1; }},
      {"negative id", kCorrupt, "an integer", [](Json& j) { j["model"]["vocab"]["c"] = -1; }},
      {"id of text", kCorrupt, "an integer", [](Json& j) { j["model"]["vocab"]["c"] = "2"; }},
      {"huge id", kCorrupt, "an integer", [](Json& j) { j["model"]["vocab"]["c"] = 1e18; }},
      {"id beyond rows", kCorrupt, "only 8 rows", [](Json& j) { j["model"]["vocab"]["c"] = 8; }},
      {"added under another id", kCorrupt, "the vocabulary says 0",
       [](Json& j) { j["added_tokens"][0]["content"] = "a"; }},
      {"added twice", kCorrupt, "vocabulary says",
       [](Json& j) { j["added_tokens"][1]["content"] = "<|end|>"; }},
      {"added over another", kCorrupt, "is both", [](Json& j) { j["added_tokens"][0]["id"] = 0; }},
      {"added without text", kCorrupt, "id and content",
       [](Json& j) { j["added_tokens"][0].erase("content"); }},
      {"NUL", kCorrupt, "NUL",
       [](Json& j) { j["added_tokens"][0]["content"] = std::string("a\0b", 3); }},
  });
}

TEST("malformed merges and steps are refused, each with its file and what is wrong") {
  check_malformed({
      {"merge of one part", kCorrupt, "model.merges[0]",
       [](Json& j) { j["model"]["merges"][0] = "ab"; }},
      {"merge of three", kCorrupt, "model.merges[0]",
       [](Json& j) { j["model"]["merges"][0] = "a b c"; }},
      {"merge pair of one", kCorrupt, "model.merges[1]",
       [](Json& j) { j["model"]["merges"][1] = {"a"}; }},
      {"merge of numbers", kCorrupt, "model.merges[1]",
       [](Json& j) {
         j["model"]["merges"][1] = {1, 2};
       }},
      {"merge of unknown", kCorrupt, "needs 'zz'",
       [](Json& j) {
         j["model"]["merges"][1] = {"zz", "a"};
       }},
      {"merge into unknown", kCorrupt, "needs 'ba'",
       [](Json& j) {
         j["model"]["merges"][1] = {"b", "a"};
       }},
      {"no merges", kCorrupt, "model.merges", [](Json& j) { j["model"].erase("merges"); }},
      {"normalizer", kFormat, "NFKC",
       [](Json& j) {
         j["normalizer"] = {{"type", "NFKC"}};
       }},
      {"prefix space", kFormat, "after a space",
       [](Json& j) { j["pre_tokenizer"]["add_prefix_space"] = true; }},
      {"no pre-tokenizer, no bytes", kCorrupt, "no byte token '<0x00>'",
       [](Json& j) { j["pre_tokenizer"] = nullptr; }},
      {"template is no list", kCorrupt, "post_processor.single",
       [](Json& j) {
         j["post_processor"] = {{"type", "TemplateProcessing"}, {"single", 1}};
       }},
  });
}

TEST("files beside tokenizer.json are refused by name, too") {
  struct Case {
    std::string file;
    std::string content;
    std::string named;
  };
  const std::vector<Case> cases = {
      {"config.json", R"({"eos_token_id": 8})", "eos_token_id is 8"},
      {"config.json", R"({"eos_token_id": [6, 99]})", "eos_token_id is 99"},
      {"config.json", R"({"eos_token_id": "six"})", "an integer"},
      {"config.json", R"({"eos_token_id": 6, "bos_token_id": -7})", "an integer"},
      {"tokenizer_config.json", R"({"eos_token": 6})", "eos_token"},
      {"tokenizer_config.json", R"({"add_bos_token": "yes"})", "add_bos_token"},
      {"tokenizer_config.json", R"({"add_bos_token": true})", "no file names the bos token"},
      {"tokenizer_config.json", R"({"chat_template": 7})", "chat_template"},
      {"tokenizer_config.json", R"({"chat_template": [{"name": "a b", "template": ""}]})", "name"},
      {"tokenizer_config.json", R"({"added_tokens_decoder": {"x": {}}})", "added_tokens_decoder"},
      {"tokenizer_config.json", R"({"added_tokens_decoder": {"9": {"content": "<n>"}}})", "8 rows"},
      {"chat_template.jinja", std::string((1u << 20) + 1, 'x'), "chat_template.jinja"},
      {"tokenizer.json", "{", "tokenizer.json"},
      {"tokenizer.json", "[]", "tokenizer.json"},
  };
  for (const Case& malformed : cases) {
    Checkpoint checkpoint;
    checkpoint.tokenizer(byte_level()).write(malformed.file, malformed.content);
    check_refused(malformed.content.substr(0, 60), ErrorCode::kModelCorrupt, malformed.named,
                  [&] { checkpoint.convert(); });
  }
  check_refused("no end", ErrorCode::kModelCorrupt, "eos_token_id",
                [] { Checkpoint().tokenizer(byte_level()).write("config.json", "{}").convert(); });
  check_refused("no tokenizer", ErrorCode::kModelCorrupt, "tokenizer.model",
                [] { Checkpoint().convert(); });
}

TEST("a byte token that is missing is refused") {
  Json json = sentencepiece();
  json["model"]["vocab"].erase("<0x41>");
  check_refused("byte", ErrorCode::kModelCorrupt, "no byte token '<0x41>'", [&] {
    Checkpoint().tokenizer(json).convert({"llama", 260, {}});
  });
}
