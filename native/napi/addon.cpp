// The addon's door: what require() of the .node file returns in one
// environment, and the log sink, which is the process's. Everything else is
// in the wraps.
#include <dlfcn.h>
#include <napi.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "model/llama_runtime.h"
#include "model/synthetic_file.h"
#include "napi/addon_data.h"
#include "napi/convert.h"
#include "napi/engine_wrap.h"
#include "napi/exit_guard.h"
#include "napi/model_wrap.h"

namespace infernode {

namespace {

// The folder this addon was loaded from: its libraries lie beside it.
std::string addon_folder() {
  Dl_info found{};
  if (dladdr(reinterpret_cast<const void*>(&addon_folder), &found) == 0 ||
      found.dli_fname == nullptr)
    return ".";
  const std::string path = found.dli_fname;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
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

Napi::Value inspect(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  try {
    const std::string path = info[0].ToString();
    const auto shape = synthetic_from(path, info[1]);
    const GgufFile file = shape ? SyntheticFile(*shape).parse() : GgufFile::read(path);
    Napi::Object object = Napi::Object::New(env);
    object.Set("metadata", metadata_to(env, file));
    object.Set("tensors", tensors_to(env, file));
    object.Set("version", file.version());
    object.Set("fileBytes", static_cast<double>(file.file_bytes()));
    return object;
  } catch (const Error& error) {
    throw error_to(env, {error.code(), error.what()});
  }
}

const char* device_type_name(DeviceType type) {
  switch (type) {
    case DeviceType::kCpu:
      return "cpu";
    case DeviceType::kGpu:
      return "gpu";
    case DeviceType::kIntegratedGpu:
      return "igpu";
    case DeviceType::kAccelerator:
      return "accelerator";
  }
  return "cpu";
}

Napi::Value devices(const Napi::CallbackInfo& info) {
  Napi::Array array = Napi::Array::New(info.Env());
  for (const DeviceInfo& device : llama_devices()) {
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("name", device.name);
    object.Set("description", device.description);
    object.Set("type", device_type_name(device.type));
    object.Set("memoryTotal", static_cast<double>(device.memory_total));
    object.Set("memoryFree", static_cast<double>(device.memory_free));
    array.Set(array.Length(), object);
  }
  return array;
}

void on_environment_exit(void* data) {
  auto* addon = static_cast<AddonData*>(data);
  for (const auto& cancelled : addon->loads) cancelled->store(true);
  if (addon->log_target != nullptr) addon->log_target->close();
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  // ggml would fork a debugger inside Node to print a backtrace.
  setenv("GGML_NO_BACKTRACE", "1", 0);
  try {
    start_llama_runtime(addon_folder());
  } catch (const Error& error) {
    throw error_to(env, {error.code(), error.what()});
  }
  ExitGuard::listen(env);
  auto* data = new AddonData;
  env.SetInstanceData(data);
  data->model_constructor = Napi::Persistent(ModelWrap::define(env));
  data->engine_constructor = Napi::Persistent(EngineWrap::define(env));
  napi_add_env_cleanup_hook(env, on_environment_exit, data);

  Napi::Object build = Napi::Object::New(env);
  build.Set("llamaCpp", INFERNODE_LLAMA_VERSION);
  build.Set("treeHash", INFERNODE_LLAMA_TREE);
  exports.Set("build", build);
  exports.Set("loadModel", Napi::Function::New(env, ModelWrap::load));
  exports.Set("inspect", Napi::Function::New(env, inspect));
  exports.Set("setLogSink", Napi::Function::New(env, set_log_sink));
  exports.Set("devices", Napi::Function::New(env, devices));
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
    sink.Call({Napi::Number::New(env, owned->level), Napi::String::New(env, owned->text)});
  };
  if (function_.NonBlockingCall(line, deliver) != napi_ok) delete line;
}

void LogTarget::close() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(open_, false)) function_.Release();
}

NODE_API_MODULE(infernode, init)

}  // namespace infernode
