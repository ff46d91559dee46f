// Delivers events from the engine thread to JavaScript: events are collected in one buffer, and one
// wake-up of the JavaScript thread delivers all of them, across any number of steps and requests.
// Owns the thread-safe function; the engine only appends. publish() may be called from any thread,
// everything else on the JavaScript thread.
#pragma once

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>

#include "core/events.h"

namespace infernode {

class EventChannel final : public EventSink {
 public:
  // Unreferenced from the start: it does not keep the process alive. `ended` is called for each end
  // on the JavaScript thread, before the handler is.
  EventChannel(Napi::Env env, const Napi::Function& handler, std::function<void(RequestId)> ended);

  void publish(StepEvents&& events) override;

  void ref(Napi::Env env, bool alive);
  // Calls the handler with everything published so far, synchronously. Waits for the memory that
  // this takes.
  void deliver_rest(Napi::Env env);
  // Afterwards no wake-up happens and publish() drops its events. Idempotent.
  void release();

  std::int64_t wake_ups() const { return wake_ups_.load(std::memory_order_relaxed); }

 private:
  static void on_wake_up(Napi::Env env, Napi::Function handler, EventChannel* channel, void* data);
  using Function = Napi::TypedThreadSafeFunction<EventChannel, void, &EventChannel::on_wake_up>;

  // Where it throws before it calls the handler, the events remain, and `ended_` has not been
  // called.
  void deliver(Napi::Env env, const Napi::Function& handler);
  void take();
  void wake();

  const std::function<void(RequestId)> ended_;
  Function function_;
  Napi::FunctionReference handler_;
  std::atomic<std::int64_t> wake_ups_{0};
  StepEvents taken_;  // not delivered yet; JavaScript thread only
  std::mutex mutex_;  // guards the three members below
  StepEvents events_;
  bool waking_ = false;    // a wake-up is pending
  bool released_ = false;  // changes on the JavaScript thread only, which reads it without the lock
};

}  // namespace infernode
