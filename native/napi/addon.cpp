// The addon's entry point: what require() of the .node file returns in one environment, and the
// process-wide log sink. Everything else is in the wraps.
#include <dlfcn.h>
#include <napi.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/llama_log.h"
#include "model/llama_runtime.h"
#include "napi/addon_data.h"
#include "napi/devices.h"
#include "napi/engine_wrap.h"
#include "napi/exit_guard.h"
#include "napi/guarded.h"
#include "napi/inspect.h"
#include "napi/model_wrap.h"
#include "napi/native_interface.h"
#include "napi/pack_worker.h"
#include "napi/plan.h"
#include "napi/quantize_worker.h"
#include "napi/reporting_call.h"

namespace infernode {

namespace {

// The folder that this addon was loaded from; its libraries are in the same folder.
std::string addon_folder() {
  Dl_info found{};
  if (dladdr(reinterpret_cast<const void*>(&addon_folder), &found) == 0 ||
      found.dli_fname == nullptr)
    return ".";
  const std::string path = found.dli_fname;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

Napi::Value start(const Napi::CallbackInfo& info) {
  std::vector<std::string> backends;
  const auto given = info[0].As<Napi::Array>();
  for (std::uint32_t i = 0; i < given.Length(); ++i) {
    backends.push_back(given.Get(i).ToString());
  }
  start_llama_runtime(addon_folder(), backends, refused_backends_from(info[1]));
  return info.Env().Undefined();
}

struct LogLine {
  int level;
  std::string text;
};

Napi::Value set_log_sink(const Napi::CallbackInfo& info) {
  std::shared_ptr<LogTarget>& mine = AddonData::of(info.Env()).log_target;
  set_llama_log_sink({});
  if (mine != nullptr) mine->close();
  mine = nullptr;
  if (!info[0].IsFunction()) return info.Env().Undefined();
  auto function = Napi::ThreadSafeFunction::New(info.Env(), info[0].As<Napi::Function>(),
                                                "infernode log", 0, 1);
  function.Unref(info.Env());
  mine = std::make_shared<LogTarget>(function);
  set_llama_log_sink(
      [target = mine](int level, std::string_view text) { target->send(level, text); });
  return info.Env().Undefined();
}

void on_environment_exit(void* data) {
  auto* addon = static_cast<AddonData*>(data);
  for (const auto& cancelled : addon->loads) cancelled->store(true);
  if (addon->log_target != nullptr) addon->log_target->close();
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  ExitGuard::listen(env);
  auto* data = new AddonData;
  env.SetInstanceData(data);
  data->model_constructor = Napi::Persistent(ModelWrap::define(env));
  data->engine_constructor = Napi::Persistent(EngineWrap::define(env));
  napi_add_env_cleanup_hook(env, on_environment_exit, data);

  Napi::Object build = Napi::Object::New(env);
  build.Set("llamaCpp", INFERNODE_LLAMA_VERSION);
  build.Set("treeHash", INFERNODE_LLAMA_TREE);
  build.Set("version", INFERNODE_VERSION);
  build.Set("interface", kNativeInterface);
  exports.Set("build", build);
  exports.Set("start", Napi::Function::New(env, guarded<start>));
  exports.Set("loadModel", Napi::Function::New(env, guarded<ModelWrap::load>));
  exports.Set("packCheckpoint", Napi::Function::New(env, guarded<pack_checkpoint>));
  exports.Set("quantizeCheckpoint", Napi::Function::New(env, guarded<quantize_checkpoint>));
  exports.Set("quantizeTypes", Napi::Function::New(env, guarded<quantize_type_names>));
  exports.Set("inspect", Napi::Function::New(env, guarded<inspect_header>));
  exports.Set("inspectAsync", Napi::Function::New(env, guarded<inspect_header_async>));
  exports.Set("measure", Napi::Function::New(env, guarded<measure_memory_async>));
  exports.Set("probeMatrices", Napi::Function::New(env, guarded<probe_matrices_async>));
  exports.Set("gpuPower", Napi::Function::New(env, guarded<gpu_power_async>));
  exports.Set("setLogSink", Napi::Function::New(env, guarded<set_log_sink>));
  exports.Set("devices", Napi::Function::New(env, guarded<devices>));
  exports.Set("backends", Napi::Function::New(env, guarded<backends>));
  exports.Set("nvidiaDriver", Napi::Function::New(env, guarded<nvidia_driver_of>));
  exports.Set("host", Napi::Function::New(env, guarded<host>));
  return exports;
}

}  // namespace

void LogTarget::send(int level, std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (!open_) return;
  auto* line = new LogLine{level, std::string(text)};
  const auto deliver = [](Napi::Env env, const Napi::Function& sink, LogLine* taken) {
    const std::unique_ptr<LogLine> owned(taken);
    if (env == nullptr) return;
    call_reporting(env, [&] {
      sink.Call({Napi::Number::New(env, owned->level), Napi::String::New(env, owned->text)});
    });
  };
  if (function_.NonBlockingCall(line, deliver) != napi_ok) delete line;
}

void LogTarget::close() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(open_, false)) function_.Release();
}

NODE_API_MODULE(infernode, init)

}  // namespace infernode
