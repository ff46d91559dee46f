#include "prefix_tree.h"

#include <algorithm>
#include <utility>

namespace infernode {

// A run of tokens between two places where sources part or end: every source
// of a node holds the whole run.
struct PrefixTree::Node {
  std::vector<TokenId> run;
  std::vector<Source> sources;
  std::map<TokenId, std::unique_ptr<Node>> children;  // by the first token of their run
};

namespace {

std::size_t common_length(std::span<const TokenId> a, std::span<const TokenId> b) {
  const std::size_t limit = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(limit), b.begin()).first -
      a.begin());
}

bool holds(const std::vector<PrefixTree::Source>& sources, PrefixTree::Source source) {
  return std::find(sources.begin(), sources.end(), source) != sources.end();
}

}  // namespace

PrefixTree::PrefixTree() : root_(std::make_unique<Node>()) {}

PrefixTree::~PrefixTree() = default;

void PrefixTree::put(Source source, std::span<const TokenId> tokens) {
  if (lengths_.contains(source)) erase(source);
  if (tokens.empty()) return;
  insert(source, tokens);
  lengths_[source] = tokens.size();
}

std::size_t PrefixTree::length(Source source) const {
  const auto found = lengths_.find(source);
  return found == lengths_.end() ? 0 : found->second;
}

bool PrefixTree::has(Source source, std::span<const TokenId> tokens) const {
  if (length(source) != tokens.size()) return false;
  if (tokens.empty()) return true;
  const Node* node = root_.get();
  while (holds(node->sources, source)) {
    if (tokens.empty()) return true;
    const auto found = node->children.find(tokens.front());
    if (found == node->children.end()) return false;
    node = found->second.get();
    if (common_length(node->run, tokens) < node->run.size()) return false;
    tokens = tokens.subspan(node->run.size());
  }
  return false;
}

// Cuts a node in two; the first half takes its place and keeps its sources.
PrefixTree::Node& PrefixTree::split(std::unique_ptr<Node>& node, std::size_t at) {
  auto head = std::make_unique<Node>();
  const auto cut = node->run.begin() + static_cast<std::ptrdiff_t>(at);
  head->run.assign(node->run.begin(), cut);
  head->sources = node->sources;
  node->run.erase(node->run.begin(), cut);
  const TokenId first = node->run.front();
  head->children[first] = std::move(node);
  node = std::move(head);
  return *node;
}

void PrefixTree::insert(Source source, std::span<const TokenId> tokens) {
  Node* node = root_.get();
  while (true) {
    node->sources.push_back(source);
    if (tokens.empty()) return;
    auto& child = node->children[tokens.front()];
    if (!child) {
      child = std::make_unique<Node>();
      child->run.assign(tokens.begin(), tokens.end());
      tokens_ += tokens.size();
    }
    const std::size_t common = common_length(child->run, tokens);
    node = common < child->run.size() ? &split(child, common) : child.get();
    tokens = tokens.subspan(common);
  }
}

void PrefixTree::erase(Source source) {
  std::erase(root_->sources, source);
  std::size_t above = 0;  // tokens of the source in nodes others hold too
  Node* node = root_.get();
  while (node != nullptr) {
    Node* next = nullptr;
    for (auto it = node->children.begin(); it != node->children.end(); ++it) {
      Node& child = *it->second;
      if (!holds(child.sources, source)) continue;
      if (child.sources.size() == 1) {  // no other source has what lies below
        tokens_ -= lengths_.at(source) - above;
        node->children.erase(it);
      } else {
        std::erase(child.sources, source);
        above += child.run.size();
        next = &child;
      }
      break;
    }
    node = next;
  }
  lengths_.erase(source);
}

PrefixTree::Match PrefixTree::match(std::span<const TokenId> prompt, const Usable& usable) const {
  std::vector<std::pair<const Node*, std::size_t>> path;  // nodes and the tokens matching there
  const Node* node = root_.get();
  std::size_t matching = 0;
  while (matching < prompt.size()) {
    const auto found = node->children.find(prompt[matching]);
    if (found == node->children.end()) break;
    node = found->second.get();
    const std::size_t common = common_length(node->run, prompt.subspan(matching));
    matching += common;
    path.emplace_back(node, matching);
    if (common < node->run.size()) break;
  }
  Match best;
  for (auto step = path.rbegin(); step != path.rend() && best.length < step->second; ++step) {
    for (const Source source : step->first->sources) {
      const std::size_t length = usable(source, step->second);
      if (length > best.length) best = {source, length};
    }
  }
  return best;
}

}  // namespace infernode
