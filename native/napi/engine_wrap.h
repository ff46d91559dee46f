// An engine as a JavaScript object: owns the engine, its prompt queue and its event channel, and
// destroys them in the one safe order, whichever comes first: close(), the environment's teardown,
// garbage collection or process exit. JavaScript thread only, except for stop_threads().
#pragma once

#include <napi.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "core/engine.h"
#include "model/prompt_queue.h"
#include "napi/convert.h"
#include "napi/event_channel.h"
#include "napi/guarded.h"

namespace infernode {

class EngineWrap final : public Napi::ObjectWrap<EngineWrap>, public WaitsForMemory {
 public:
  static Napi::Function define(Napi::Env env);

  explicit EngineWrap(const Napi::CallbackInfo& info);
  ~EngineWrap() override;

  // Ends every request and joins both threads; later events are dropped, except through
  // deliver_rest(). Any thread; idempotent.
  void stop_threads();

 private:
  friend class CreateEngineWorker;
  friend class CloseEngineWorker;

  void adopt(Napi::Env env, std::shared_ptr<const LlamaModel> model,
             std::unique_ptr<Backend> backend, std::unique_ptr<Backend> draft,
             const EngineOptions& options, const Napi::Function& handler);
  void closed(Napi::Env env);
  void must_be_open(Napi::Env env) const;
  void refuse_full(RequestId id);
  void push(Napi::Env env, RequestId id, const std::function<Prompt(RequestId)>& make_prompt);
  static void on_environment_exit(void* self);

  // What JavaScript calls: `method`, whose exceptions get a code.
  template <auto method>
  auto guarded(const Napi::CallbackInfo& info) {
    return with_codes(info.Env(), [&] { return (this->*method)(info); });
  }

  Napi::Value options(const Napi::CallbackInfo& info);
  void submit(const Napi::CallbackInfo& info);
  void fork(const Napi::CallbackInfo& info);
  void cancel(const Napi::CallbackInfo& info);
  void acknowledge(const Napi::CallbackInfo& info);
  Napi::Value import_state(const Napi::CallbackInfo& info);
  Napi::Value broken(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  void ref(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  EngineOptions options_;
  std::unique_ptr<EventChannel> channel_;
  std::shared_ptr<Engine> engine_;  // shared with async work that waits for it
  std::unique_ptr<PromptQueue> prompts_;
  std::unordered_map<RequestId, std::shared_ptr<RequestControl>> controls_;
  std::mutex stop_mutex_;
  bool stopped_ = false;
  EngineStats last_stats_;  // what stats() returns after close()
  napi_env hooked_environment_ = nullptr;
  Napi::Reference<Napi::Promise> closing_;
};

}  // namespace infernode
