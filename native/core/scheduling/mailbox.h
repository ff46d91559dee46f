// A queue of messages to the thread of an engine or a prompt queue: push() never blocks on the
// receiver, and fails once the queue is closed. Unbounded: its users limit the number of requests
// that have not ended. Many threads push; one thread drains or waits.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace infernode {

template <typename Message>
class Mailbox {
 public:
  // False: it is closed.
  [[nodiscard]] bool push(Message message) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return false;
      messages_.push_back(std::move(message));
    }
    changed_.notify_one();
    return true;
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

  // How many messages wait of which `counts` is true.
  template <typename Predicate>
  std::size_t count(const Predicate& counts) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(messages_.begin(), messages_.end(), counts));
  }

  [[nodiscard]] bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Message> messages_;
  bool woken_ = false;
  bool closed_ = false;
};

}  // namespace infernode
