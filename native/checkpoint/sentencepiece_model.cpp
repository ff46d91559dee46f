#include "checkpoint/sentencepiece_model.h"

#include <cstdint>
#include <cstring>
#include <utility>

#include "checkpoint/tokenizer_json.h"

namespace infernode {

namespace {

// Iterates over a message's fields.
class Fields {
 public:
  Fields(std::string_view bytes, const std::string& label) : bytes_(bytes), label_(label) {}

  // False at the end. Otherwise number() and one of the values below describe the current field.
  bool next() {
    if (bytes_.empty()) return false;
    const std::uint64_t tag = varint();
    number_ = tag >> 3;
    text_ = {};
    value_ = 0;
    switch (tag & 7) {
      case 0:
        value_ = varint();
        break;
      case 1:
        text_ = take(8);
        break;
      case 2:
        text_ = take(varint());
        break;
      case 5:
        text_ = take(4);
        break;
      default:
        refuse();
    }
    return true;
  }
  std::uint64_t number() const { return number_; }
  std::uint64_t value() const { return value_; }
  std::string_view text() const { return text_; }
  float real() const {
    float number = 0;
    if (text_.size() != sizeof number) refuse();
    std::memcpy(&number, text_.data(), sizeof number);
    return number;
  }

 private:
  [[noreturn]] void refuse() const {
    refuse_tokenizer(label_, "is not a SentencePiece model; download the file again.");
  }
  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size()) refuse();
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    refuse();
  }

  std::string_view bytes_;
  const std::string& label_;
  std::uint64_t number_ = 0;
  std::uint64_t value_ = 0;
  std::string_view text_;
};

SentencePiece parse_piece(std::string_view bytes, const std::string& label) {
  SentencePiece piece;
  Fields fields(bytes, label);
  while (fields.next()) {
    if (fields.number() == 1) piece.text = std::string(fields.text());
    if (fields.number() == 2) piece.score = fields.real();
    if (fields.number() != 3) continue;
    if (fields.value() < 1 || fields.value() > 6)
      refuse_tokenizer(label, "piece " + shown_text(piece.text) + " has an unknown type.");
    piece.kind = static_cast<TokenKind>(fields.value());  // the numbers are GGUF's
  }
  return piece;
}

void parse_trainer(std::string_view bytes, const std::string& label, SentencePieceModel& model) {
  Fields fields(bytes, label);
  while (fields.next())
    if (fields.number() == 3) model.bpe = fields.value() == 2;
}

void parse_normalizer(std::string_view bytes, const std::string& label, SentencePieceModel& model) {
  Fields fields(bytes, label);
  while (fields.next()) {
    if (fields.number() == 2) model.maps_characters = !fields.text().empty();
    if (fields.number() == 3) model.dummy_prefix = fields.value() != 0;
    if (fields.number() == 4) model.removes_spaces = fields.value() != 0;
  }
}

}  // namespace

SentencePieceModel parse_sentencepiece(std::string_view bytes, const std::string& label) {
  SentencePieceModel model;
  Fields fields(bytes, label);
  while (fields.next()) {
    if (fields.number() == 1) model.pieces.push_back(parse_piece(fields.text(), label));
    if (fields.number() == 2) parse_trainer(fields.text(), label, model);
    if (fields.number() == 3) parse_normalizer(fields.text(), label, model);
    if (model.pieces.size() > kMostTokens) refuse_tokenizer(label, "has too many pieces.");
  }
  if (model.pieces.empty()) refuse_tokenizer(label, "has no pieces; download the file again.");
  return model;
}

Vocabulary read_sentencepiece_model(const SentencePieceModel& model, const std::string& label,
                                    std::uint64_t rows) {
  if (!model.bpe)
    tokenizer_unsupported(label, "is not of SentencePiece's BPE, the only kind supported.");
  if (model.maps_characters || model.removes_spaces) {
    tokenizer_unsupported(label,
                          "normalizes text (its characters or its spaces), which llama.cpp does "
                          "not do for SentencePiece.");
  }
  Vocabulary vocabulary(label, rows);
  vocabulary.model = "llama";
  vocabulary.space_prefix = model.dummy_prefix;
  for (std::uint64_t id = 0; id < model.pieces.size(); ++id) {
    const SentencePiece& piece = model.pieces[id];
    const bool user = piece.kind == TokenKind::kUserDefined;
    vocabulary.add(id, piece.text, user ? TokenKind::kNormal : piece.kind, piece.score);
    if (user) vocabulary.add(AddedToken{id, piece.text, false});
  }
  check_byte_tokens(vocabulary);
  return vocabulary;
}

}  // namespace infernode
