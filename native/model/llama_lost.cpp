#include "model/llama_lost.h"

#include <mutex>
#include <utility>
#include <vector>

namespace infernode {

void leak(LostContext lost) {
  static std::mutex mutex;
  static std::vector<LostContext>& leaked = *new std::vector<LostContext>;
  const std::lock_guard lock(mutex);
  leaked.push_back(std::move(lost));
}

}  // namespace infernode
