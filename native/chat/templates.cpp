#include "templates.h"

#include <algorithm>
#include <exception>
#include <stdexcept>

#include "template_failure.h"

namespace infernode::chat {

namespace {

constexpr std::size_t kTemplatesKept = 4;

common_chat_templates_ptr parsed(const std::string& source, const std::string& bos,
                                 const std::string& eos) {
  try {
    return common_chat_templates_init(nullptr, source, bos, eos);
  } catch (const std::exception&) {
    throw std::runtime_error(unreadable(source));
  }
}

}  // namespace

const common_chat_templates* Templates::get(const std::string& source, const std::string& bos,
                                            const std::string& eos) {
  const auto found = std::find_if(kept_.begin(), kept_.end(),
                                  [&](const auto& entry) { return entry.first == source; });
  if (found == kept_.end()) {
    kept_.emplace_front(source, parsed(source, bos, eos));
    if (kept_.size() > kTemplatesKept) kept_.pop_back();
  } else {
    kept_.splice(kept_.begin(), kept_, found);
  }
  return kept_.front().second.get();
}

}  // namespace infernode::chat
