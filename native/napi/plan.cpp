#include "napi/plan.h"

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "model/gguf_file.h"
#include "model/gpu_power.h"
#include "model/llama_matrix_probe.h"
#include "model/llama_plan.h"
#include "napi/cancellable_worker.h"
#include "napi/checkpoint_convert.h"
#include "napi/convert.h"

namespace infernode {

namespace {

std::vector<EngineShape> shapes_from(const Napi::Object& object) {
  EngineShape shape;
  shape.context_length = object.Get("contextLength").ToNumber().Int32Value();
  shape.kv_type = kv_type_field(object, "kvType");
  std::vector<EngineShape> shapes;
  const auto slots = object.Get("slots").As<Napi::Array>();
  for (std::uint32_t i = 0; i < slots.Length(); ++i) {
    shape.slots = slots.Get(i).ToNumber().Int32Value();
    shapes.push_back(shape);
  }
  return shapes;
}

constexpr const char* kNoMemory = "There is too little memory to plan the model.";

class ProbeWorker final : public CancellableWorker {
 public:
  ProbeWorker(Napi::Env env, const MatrixProbe& probe)
      : CancellableWorker(
            env, "infernode probe",
            {.out_of_memory = kNoMemory, .failed = "The device could not be measured"}, env.Null()),
        probe_(probe) {}

 protected:
  void work(const std::atomic<bool>& /*cancelled*/) override { seconds_ = probe_matrices(probe_); }
  Napi::Value result(Napi::Env env) override { return Napi::Number::New(env, seconds_); }

 private:
  MatrixProbe probe_;
  double seconds_ = 0;
};

class PowerWorker final : public CancellableWorker {
 public:
  explicit PowerWorker(Napi::Env env)
      : CancellableWorker(
            env, "infernode power",
            {.out_of_memory = kNoMemory, .failed = "The GPUs' power could not be read"},
            env.Null()) {}

 protected:
  void work(const std::atomic<bool>& /*cancelled*/) override { reading_ = read_gpu_power(); }

  Napi::Value result(Napi::Env env) override {
    Napi::Array gpus = Napi::Array::New(env, reading_.gpus.size());
    for (std::uint32_t i = 0; i < gpus.Length(); ++i) {
      Napi::Object gpu = Napi::Object::New(env);
      gpu.Set("name", reading_.gpus[i].name);
      gpu.Set("bus", reading_.gpus[i].bus);
      gpu.Set("watts", number_or_null(env, reading_.gpus[i].watts));
      gpu.Set("joules", number_or_null(env, reading_.gpus[i].joules));
      gpus.Set(i, gpu);
    }
    Napi::Object object = Napi::Object::New(env);
    object.Set("problem", reading_.problem);
    object.Set("gpus", gpus);
    return object;
  }

 private:
  static Napi::Value number_or_null(Napi::Env env, double value) {
    return value < 0 ? env.Null() : Napi::Value(Napi::Number::New(env, value));
  }

  GpuPowerReading reading_;
};

class MeasureWorker final : public CancellableWorker {
 public:
  MeasureWorker(Napi::Env env, LoadOptions options, std::vector<EngineShape> shapes)
      : CancellableWorker(
            env, "infernode measure",
            {.out_of_memory = kNoMemory, .failed = "The model's memory could not be measured"},
            env.Null()),
        options_(std::move(options)),
        shapes_(std::move(shapes)) {}

 protected:
  void work(const std::atomic<bool>& /*cancelled*/) override {
    needed_ = plan_memory(options_, shapes_);
  }

  Napi::Value result(Napi::Env env) override {
    Napi::Array all = Napi::Array::New(env, needed_.size());
    for (std::uint32_t i = 0; i < all.Length(); ++i) {
      Napi::Object object = Napi::Object::New(env);
      object.Set("weightBytes", static_cast<double>(needed_[i].weight_bytes));
      object.Set("kvBytes", static_cast<double>(needed_[i].kv_bytes));
      object.Set("computeBytes", static_cast<double>(needed_[i].compute_bytes));
      object.Set("vocabularyBytes", static_cast<double>(needed_[i].vocabulary_bytes));
      all.Set(i, object);
    }
    return all;
  }

 private:
  LoadOptions options_;
  std::vector<EngineShape> shapes_;
  std::vector<MemoryNeeded> needed_;
};

// ggml's number of the type with this name; an invalid number if there is none.
std::uint32_t type_number(const std::string& name) {
  constexpr std::uint32_t kTypes = 64;
  for (std::uint32_t number = 0; number < kTypes; ++number) {
    const GgufTensorType* type = gguf_tensor_type(number);
    if (type != nullptr && type->name == name) return number;
  }
  return kTypes;
}

}  // namespace

Napi::Value measure_memory_async(const Napi::CallbackInfo& info) {
  const auto asked = info[0].As<Napi::Object>();
  LoadOptions options;
  options.path = asked.Get("path").ToString();
  options.synthetic = synthetic_from(options.path, asked.Get("synthetic"));
  options.checkpoint = checkpoint_from(options.path, asked.Get("checkpoint"));
  auto* worker = new MeasureWorker(info.Env(), std::move(options), shapes_from(asked));
  return worker->start().Get("promise");
}

Napi::Value probe_matrices_async(const Napi::CallbackInfo& info) {
  const auto asked = info[0].As<Napi::Object>();
  MatrixProbe probe;
  probe.type = type_number(asked.Get("type").ToString());
  probe.columns = asked.Get("columns").ToNumber().Int64Value();
  probe.batch = asked.Get("batch").ToNumber().Int32Value();
  probe.threads = asked.Get("threads").ToNumber().Int32Value();
  probe.bytes = static_cast<std::uint64_t>(asked.Get("bytes").ToNumber().Int64Value());
  probe.rows = asked.Get("rows").ToNumber().Int64Value();
  probe.device = asked.Get("device").ToString();
  auto* worker = new ProbeWorker(info.Env(), probe);
  return worker->start().Get("promise");
}

Napi::Value gpu_power_async(const Napi::CallbackInfo& info) {
  return (new PowerWorker(info.Env()))->start().Get("promise");
}

}  // namespace infernode
