// One computation of the backend, described: which rows, whose they are, and after which of
// them a request's next token is chosen. What is planned becomes a pass here; PassRunner has it
// computed. Engine thread only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/backend.h"
#include "planner.h"
#include "request.h"

namespace infernode {

// A row of a pass whose logits choose the request's next token.
struct ReadyRow {
  Request* request;
  std::size_t row;
};

// A row of a pass whose logits tell how likely the prompt's next token was.
struct TellingRow {
  std::size_t row;
  TokenId next;
};

// All such rows of a request in a pass, in order.
struct TellingRows {
  Request* request;
  std::vector<TellingRow> rows;
};

struct Pass {
  std::vector<BatchRow> rows;
  std::vector<Request*> requests;  // whose rows these are
  std::vector<ReadyRow> ready;
  std::vector<TellingRows> telling;
  std::vector<BatchRow> padding;  // of `rows`: nobody's
  std::int32_t generating = 0;    // requests of which a row was generated
  std::int32_t prompt_rows = 0;   // of `rows`: read, not generated
  bool one_row_each = false;      // for Backend::decode()
  bool embeds = false;            // the rows' embeddings are wanted
};

// One row of each request that generates, and the rows that pad them.
Pass decode_pass(std::span<const DecodeRow> rows);

// The next rows of some requests: `generating` of them have only their last token to compute,
// the others read their prompts.
Pass reading_pass(std::span<const PassShare> shares, std::int32_t generating);

// The next token of each request, and what it is guessed to say then.
struct GuessedRow {
  Request* request;
  std::span<const TokenId> guesses;  // of equal length for all
};
Pass guessing_pass(std::span<const GuessedRow> rows);

}  // namespace infernode
