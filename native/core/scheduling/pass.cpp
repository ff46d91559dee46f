#include "pass.h"

#include <utility>

namespace infernode {

namespace {

// Adds the next `count` rows of what the request knows. Logits are wanted where nothing
// known is left after them, and where they score the prompt.
void read(Pass& pass, Request& request, std::int32_t count) {
  const std::vector<TokenId>& known = request.progress.known;
  ScoringRows scoring{&request, {}};
  for (Position position = request.progress.computed; position < request.progress.computed + count;
       ++position) {
    const auto index = static_cast<std::size_t>(position);
    const bool scores = request.scores_at(position);
    if (scores) scoring.rows.push_back({pass.rows.size(), known[index + 1]});
    pass.rows.push_back({known[index], request.progress.sequence, position, scores});
  }
  if (!scoring.rows.empty()) pass.scoring.push_back(std::move(scoring));
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

Pass prefill_pass(std::span<const PassShare> shares, std::int32_t generating) {
  Pass pass;
  for (const auto& [request, count] : shares) read(pass, *request, count);
  pass.generating = generating;
  pass.prompt_rows = static_cast<std::int32_t>(pass.rows.size()) - generating;
  return pass;
}

Pass verification_pass(std::span<const DraftedRow> rows) {
  Pass pass;
  for (const auto& [request, drafted] : rows) {
    Position position = request->progress.computed;
    pass.requests.push_back(request);
    pass.ready.push_back({request, pass.rows.size()});
    pass.rows.push_back(
        {request->progress.known.back(), request->progress.sequence, position, true});
    for (const TokenId token : drafted) {
      pass.rows.push_back({token, request->progress.sequence, ++position, true});
    }
  }
  pass.generating = static_cast<std::int32_t>(pass.requests.size());
  return pass;
}

}  // namespace infernode
