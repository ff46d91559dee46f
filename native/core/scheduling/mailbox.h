// The one way into an engine or a prompt queue: a closable queue that refuses instead of blocking,
// once it is closed or holds its capacity. Many threads push; one thread drains or waits.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace infernode {

enum class [[nodiscard]] Pushed{kAccepted, kFull, kClosed};

template <typename Message>
class Mailbox {
 public:
  explicit Mailbox(std::size_t capacity) : capacity_(capacity) {}

  Pushed push(Message message) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return Pushed::kClosed;
      if (messages_.size() >= capacity_) return Pushed::kFull;
      messages_.push_back(std::move(message));
    }
    changed_.notify_one();
    return Pushed::kAccepted;
  }

  // Ends a wait() without a message: for cancellations and acknowledgements.
  void wake() {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    changed_.notify_one();
  }

  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_one();
  }

  // Takes all messages without waiting.
  std::vector<Message> drain() {
    const std::lock_guard lock(mutex_);
    woken_ = false;
    return std::exchange(messages_, {});
  }

  // Blocks until there is a message, a wake() or a close().
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return woken_ || closed_ || !messages_.empty(); });
  }

  [[nodiscard]] bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }

 private:
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Message> messages_;
  bool woken_ = false;
  bool closed_ = false;
};

}  // namespace infernode
