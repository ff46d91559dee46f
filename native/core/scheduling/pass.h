// One pass of the backend, described: its rows, the request of each row, and the rows whose logits
// choose a request's next token. The rows that Planner chose become a Pass here; PassRunner has it
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

// A row of a pass whose logits score the prompt's next token.
struct ScoringRow {
  std::size_t row;
  TokenId next;
};

// All such rows of one request in a pass, in order.
struct ScoringRows {
  Request* request;
  std::vector<ScoringRow> rows;
};

struct Pass {
  std::vector<BatchRow> rows;
  std::vector<Request*> requests;  // each request that has rows in this pass, once
  std::vector<ReadyRow> ready;
  std::vector<ScoringRows> scoring;
  std::vector<BatchRow> padding;  // of `rows`, those of no request
  std::int32_t generating = 0;    // requests with a decode row
  std::int32_t prompt_rows = 0;   // of `rows`
  bool one_row_each = false;      // as in PassRows
  bool embeds = false;            // as in PassRows
};

// A decode pass: one row of each request that generates, and padding.
Pass decode_pass(std::span<const DecodeRow> rows);

// The next rows of some requests: `generating` of them have one decode row, the others rows of
// their prompts.
Pass prefill_pass(std::span<const PassShare> shares, std::int32_t generating);

// The next row of a request, and the tokens drafted to follow it.
struct DraftedRow {
  Request* request;
  std::span<const TokenId> drafted;  // equally many for all requests of a pass
};
Pass verification_pass(std::span<const DraftedRow> rows);

}  // namespace infernode
