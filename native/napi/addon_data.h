// The addon's state in one Node environment (the main thread or a worker thread): its constructors
// and its loads in progress. No statics. JavaScript thread only.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>

namespace infernode {

// Receives the process's log lines while this environment's sink is set. Closed at the
// environment's end; later lines are dropped.
class LogTarget {
 public:
  explicit LogTarget(const Napi::ThreadSafeFunction& function) : function_(function) {}

  // Any thread.
  void send(int level, std::string_view text);
  void close();

 private:
  std::mutex mutex_;
  Napi::ThreadSafeFunction function_;
  bool open_ = true;
};

struct AddonData {
  Napi::FunctionReference model_constructor;
  Napi::FunctionReference engine_constructor;
  std::shared_ptr<LogTarget> log_target;
  // Set to true at the environment's end, so that its loads are cancelled.
  std::set<std::shared_ptr<std::atomic<bool>>> loads;

  static AddonData& of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }
};

}  // namespace infernode
