#include "napi/exit_guard.h"

#include <cstdlib>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "napi/addon_data.h"

namespace infernode {

namespace {

struct Entry {
  napi_env env;
  std::function<void()> stop;
};

struct Registry {
  std::mutex mutex;
  std::unordered_map<const void*, Entry> entries;
};

// Never destroyed: the exit handler and late finalizers both need it.
Registry& registry() {
  static auto* const instance = new Registry;
  return *instance;
}

// nullptr: stops all environments' engines.
void stop_engines(napi_env env) {
  const std::lock_guard lock(registry().mutex);
  for (auto& [owner, entry] : registry().entries) {
    if (env == nullptr || entry.env == env) entry.stop();
  }
}

}  // namespace

void ExitGuard::listen(Napi::Env env) {
  const Napi::Object process = env.Global().Get("process").As<Napi::Object>();
  const auto on_exit = [](const Napi::CallbackInfo& info) {
    for (const auto& cancelled : AddonData::of(info.Env()).loads) cancelled->store(true);
    stop_engines(info.Env());
  };
  process.Get("once").As<Napi::Function>().Call(
      process, {Napi::String::New(env, "exit"), Napi::Function::New(env, on_exit)});
}

void ExitGuard::remember(napi_env env, const void* owner, std::function<void()> stop) {
  static std::once_flag once;
  std::call_once(once, [] { std::atexit([] { stop_engines(nullptr); }); });
  const std::lock_guard lock(registry().mutex);
  registry().entries[owner] = {env, std::move(stop)};
}

void ExitGuard::forget(const void* owner) {
  const std::lock_guard lock(registry().mutex);
  registry().entries.erase(owner);
}

}  // namespace infernode
