#include "pass.h"

namespace infernode {

namespace {

// Adds the next `count` rows of what the request knows. Logits are wanted where nothing
// known is left after them.
void read(Pass& pass, Request& request, std::int32_t count) {
  for (Position position = request.progress.computed; position < request.progress.computed + count;
       ++position) {
    const TokenId token = request.progress.known[static_cast<std::size_t>(position)];
    pass.rows.push_back({token, request.progress.sequence, position});
  }
  pass.requests.push_back(&request);
  if (request.progress.gap() > count) return;
  pass.rows.back().wants_logits = true;
  pass.ready.push_back({&request, pass.rows.size() - 1});
}

}  // namespace

Pass decode_pass(std::span<const DecodeRow> rows) {
  Pass pass;
  pass.one_row_each = true;
  for (const auto& [row, request] : rows) {
    pass.rows.push_back(row);
    if (request == nullptr) {
      pass.padding.push_back(row);
      continue;
    }
    pass.requests.push_back(request);
    pass.ready.push_back({request, pass.rows.size() - 1});
    pass.embeds = pass.embeds || request->spec.params.embeds;
  }
  pass.generating = static_cast<std::int32_t>(pass.requests.size());
  return pass;
}

Pass reading_pass(std::span<const PassShare> shares, std::int32_t generating) {
  Pass pass;
  for (const auto& [request, count] : shares) read(pass, *request, count);
  pass.generating = generating;
  pass.prompt_rows = static_cast<std::int32_t>(pass.rows.size()) - generating;
  return pass;
}

Pass guessing_pass(std::span<const GuessedRow> rows) {
  Pass pass;
  for (const auto& [request, guesses] : rows) {
    Position position = request->progress.computed;
    pass.requests.push_back(request);
    pass.ready.push_back({request, pass.rows.size()});
    pass.rows.push_back(
        {request->progress.known.back(), request->progress.sequence, position, true});
    for (const TokenId guess : guesses) {
      pass.rows.push_back({guess, request->progress.sequence, ++position, true});
    }
  }
  pass.generating = static_cast<std::int32_t>(pass.requests.size());
  return pass;
}

}  // namespace infernode
