// parse_json() and the strict parsing shared by every JSON reader here; see json_text.h,
// json_events.h.
#include "checkpoint/json_text.h"

#include <iterator>
#include <tuple>
#include <vector>

#include "checkpoint/json_events.h"
#include "core/types.h"
#include "model/gguf_text.h"

namespace infernode {

namespace {

// Limit on values: each costs at most about 100 bytes; the largest tokenizer.json has 2 million.
constexpr std::size_t kMostJsonValues = 4'000'000;

// The text's characters through an iterator that records how far the parser, which copies it, has
// read.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *furthest_ = ++at_;
    return *this;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** furthest_;
};

// Builds the whole value. A vector of open objects and arrays, no recursion.
class JsonBuilder : public JsonEvents {
 public:
  Json take() { return std::move(root_); }

  bool key(string_t& name) override {
    auto& members = open_.back()->get_ref<Json::object_t&>();
    const auto [place, is_new] = members.try_emplace(std::move(name));
    if (!is_new) return refuse("duplicate key '" + printable(place->first) + "'");
    member_ = &place->second;
    return true;
  }

 protected:
  bool value(Json&& scalar) override { return place(std::move(scalar)) != nullptr; }
  bool begin_object() override { return open(Json::object()); }
  bool begin_array() override { return open(Json::array()); }
  bool finish_object() override { return close(); }
  bool finish_array() override { return close(); }

 private:
  bool open(Json&& empty) {
    Json* placed = place(std::move(empty));
    if (placed == nullptr) return false;
    open_.push_back(placed);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  Json* place(Json&& value) {
    if (++values_ > kMostJsonValues) {
      std::ignore = refuse("more than " + std::to_string(kMostJsonValues) + " values");
      return nullptr;
    }
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_object()) return &(*member_ = std::move(value));
    return &open_.back()->get_ref<Json::array_t&>().emplace_back(std::move(value));
  }

  Json root_;
  std::vector<Json*> open_;  // only the last item of an array is ever open, so no open value moves
  Json* member_ = nullptr;   // a member of the innermost object, waiting for its value
  std::size_t values_ = 0;
};

}  // namespace

bool JsonEvents::deeper() {
  if (++depth_ <= kMostJsonDepth) return true;
  return refuse("nesting deeper than " + std::to_string(kMostJsonDepth) + " levels");
}

bool JsonEvents::parse_error(std::size_t, const std::string&,
                             const nlohmann::detail::exception& error) {
  // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error …"
  const std::string_view said = error.what();
  const std::size_t place = said.find(": ");
  const std::size_t id = said.find("] ");
  const std::size_t begin = place != std::string_view::npos ? place
                            : id != std::string_view::npos  ? id
                                                            : 0;
  return refuse("no valid JSON: " + printable(said.substr(begin == 0 ? 0 : begin + 2), 160));
}

void read_json(std::string_view text, JsonEvents& events, const std::string& label) {
  const char* furthest = text.data();
  const CountingIterator first(text.data(), &furthest);
  const CountingIterator last(text.data() + text.size(), &furthest);
  if (Json::sax_parse(first, last, &events)) return;
  throw Error(ErrorCode::kModelCorrupt, label + ": " + events.reason() + " at byte " +
                                            std::to_string(furthest - text.data()));
}

Json parse_json(std::string_view text, const std::string& label) {
  JsonBuilder builder;
  read_json(text, builder, label);
  return builder.take();
}

}  // namespace infernode
