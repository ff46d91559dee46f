#include "pass_outputs.h"

#include <vector>

namespace infernode {

void PassOutputs::decoded(std::span<const ReadyRow> rows) {
  std::vector<ReadyRow> generating;
  for (const ReadyRow& ready : rows) {
    ++ready.request->progress.computed;
    if (ready.request->spec.params.embeds) {
      parts_.endings.embedded(*ready.request, parts_.backend.embedding(ready.row));
    } else {
      generating.push_back(ready);
    }
  }
  sample(generating);
}

void PassOutputs::verified(std::span<const ReadyRow> rows) {
  const double started = clock_();
  for (const ReadyRow& ready : rows) accept_drafted(*ready.request, ready.row);
  ms_ += clock_() - started;
}

// Applies to one request the tokens chosen from the rows from `first` on, up to the first that
// differs from its draft; the rows after it are truncated.
void PassOutputs::accept_drafted(Request& request, std::size_t first) {
  const std::span<const TokenId> drafted = parts_.drafting.proposed(request);
  for (std::size_t i = 0; i <= drafted.size(); ++i) {
    ++request.progress.computed;
    TokenChoice choice =
        parts_.chooser.choose(request, parts_.backend.logits(first + i), parts_.workers.scratch());
    const bool accepted = i < drafted.size() && choice.token == drafted[i];
    parts_.drafting.verify(request, i, choice.token);
    if (!parts_.endings.apply(request, std::move(choice)))
      return;  // the request has ended and no longer exists
    if (!accepted) break;
    parts_.drafting.accepted(request);
  }
  parts_.drafting.discard_drafts(request);
  parts_.cache.roll_back(request.progress.sequence, request.progress.computed);
}

void PassOutputs::sample(std::span<const ReadyRow> rows) {
  const double started = clock_();
  std::vector<std::span<float>> logits;
  for (const ReadyRow& row : rows) logits.push_back(parts_.backend.logits(row.row));
  std::vector<TokenChoice> chosen(rows.size());
  parts_.workers.run(rows.size(), [&](std::size_t index, SamplerScratch& scratch) {
    chosen[index] = parts_.chooser.choose(*rows[index].request, logits[index], scratch);
  });
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Request& request = *rows[i].request;
    parts_.drafting.verify(request, 0, chosen[i].token);
    parts_.drafting.discard_drafts(request);
    static_cast<void>(parts_.endings.apply(request, std::move(chosen[i])));  // it may have ended
  }
  ms_ += clock_() - started;
}

}  // namespace infernode
