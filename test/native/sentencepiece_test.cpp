// tokenizer.model: alone, beside tokenizer.json, and malformed.
#include "checkpoint/sentencepiece_model.h"

#include "sentencepiece_bytes.h"
#include "tokenizer_fixture.h"

using namespace infernode;

TEST("tokenizer.model alone has its pieces, scores and added tokens") {
  const std::string user = piece("\xe2\x96\x81\xe2\x96\x81", 0, 4);
  Checkpoint checkpoint;
  checkpoint.write("tokenizer.model", small_sentencepiece() + user + trainer_and_normalizer())
      .write("added_tokens.json", R"({"<|more|>": 261})")
      .write("tokenizer_config.json", R"({"added_tokens_decoder": {
        "261": {"content": "<|more|>", "special": true}, "262": {"content": "<plain>"}}})");
  const GgufFile file = checkpoint.convert({"llama", 264, {}});
  const auto texts = strings(file, "tokenizer.ggml.tokens");
  const auto kinds = numbers(file, "tokenizer.ggml.token_type");
  CHECK_EQ(texts[259], "ab");
  CHECK_EQ(texts[260], "  ");  // a user-defined piece is looked for in the text as it is
  CHECK_EQ(texts[261], "<|more|>");
  CHECK((std::vector<std::int64_t>(kinds.begin() + 256, kinds.end())) ==
        (std::vector<std::int64_t>{6, 1, 1, 1, 4, 3, 4, 5}));
  CHECK(flag(file, "tokenizer.ggml.add_space_prefix"));
}

TEST("tokenizer.model beside tokenizer.json gives the scores where the pieces are the same") {
  const auto scores = [](const std::string& model) {
    Checkpoint checkpoint;
    checkpoint.tokenizer(sentencepiece()).write("tokenizer.model", model);
    const GgufFile file = checkpoint.convert({"llama", 260, {}});
    const auto array = std::get<GgufArray>(file.find("tokenizer.ggml.scores")->value);
    const std::string_view bytes = file.bytes_of(array);
    std::vector<float> numbers(bytes.size() / sizeof(float));
    std::memcpy(numbers.data(), bytes.data(), bytes.size());
    return numbers;
  };
  CHECK_EQ(scores(small_sentencepiece() + trainer_and_normalizer())[258], -3.0f);
  CHECK_EQ(scores(small_sentencepiece() + trainer_and_normalizer())[259], -1.0f);
  CHECK_EQ(scores(piece("other", -5) + trainer_and_normalizer())[259], 0.0f);
}

TEST("malformed tokenizer.model files are refused by name") {
  struct Case {
    std::string bytes;
    ErrorCode code;
    std::string named;
  };
  const std::string good = small_sentencepiece() + trainer_and_normalizer();
  const std::vector<Case> cases = {
      {"", ErrorCode::kModelCorrupt, "no pieces"},
      {good.substr(0, good.size() / 2 + 3), ErrorCode::kModelCorrupt, "not a SentencePiece model"},
      {"version https://git-lfs.github.com/spec/v1", ErrorCode::kModelCorrupt, "download"},
      {std::string(11, '\xff'), ErrorCode::kModelCorrupt, "not a SentencePiece model"},
      {text_field(1, text_field(1, "a") + text_field(2, "xx")), ErrorCode::kModelCorrupt,
       "not a Sent"},
      {piece("a", 0, 9) + good, ErrorCode::kModelCorrupt, "unknown type"},
      {good + piece("ab", 0), ErrorCode::kModelCorrupt, "same text"},
      {piece("a", 0) + trainer_and_normalizer(), ErrorCode::kModelCorrupt,
       "no byte token '<0x00>'"},
      {small_sentencepiece() + trainer_and_normalizer(1), ErrorCode::kModelFormatUnsupported,
       "BPE"},
      {small_sentencepiece() + trainer_and_normalizer(2, 1), ErrorCode::kModelFormatUnsupported,
       "normalizes"},
  };
  for (const Case& malformed : cases) {
    for (const std::string& named : {malformed.named, std::string("tokenizer.model")}) {
      Checkpoint checkpoint;
      checkpoint.write("tokenizer.model", malformed.bytes);
      check_refused(malformed.named, malformed.code, named, [&] {
        checkpoint.convert({"llama", 300, {}});
      });
    }
  }
}
