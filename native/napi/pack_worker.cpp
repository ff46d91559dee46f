#include "napi/pack_worker.h"

#include <atomic>
#include <optional>
#include <string>
#include <utility>

#include "checkpoint/checkpoint_file.h"
#include "checkpoint/checkpoint_writer.h"
#include "napi/cancellable_worker.h"
#include "napi/checkpoint_convert.h"

namespace infernode {

namespace {

class PackWorker final : public CancellableWorker {
 public:
  PackWorker(Napi::Env env, CheckpointOptions checkpoint, WriteOptions target,
             const Napi::Value& listener)
      : CancellableWorker(
            env, "infernode pack checkpoint",
            {.out_of_memory = "There is too little memory to pack the model; use a host with more.",
             .failed = "The model could not be packed"},
            listener),
        checkpoint_(std::move(checkpoint)),
        target_(std::move(target)) {}

 protected:
  void work(const std::atomic<bool>& cancelled) override {
    const auto file = CheckpointFile::open(checkpoint_);
    bytes_ = write_checkpoint(
        *file, target_, [this](float fraction) { report(fraction); }, cancelled);
    report_ = file->report();
  }

  Napi::Value result(Napi::Env env) override {
    auto packed = checkpoint_to(env, report_).As<Napi::Object>();
    packed.Set("bytes", static_cast<double>(bytes_));
    return packed;
  }

 private:
  CheckpointOptions checkpoint_;
  WriteOptions target_;
  std::optional<CheckpointReport> report_;
  std::uint64_t bytes_ = 0;
};

WriteOptions target_from(const Napi::Object& object) {
  WriteOptions target;
  target.path = object.Get("target").ToString();
  const auto values = object.Get("values").As<Napi::Object>();
  for (const auto& [key, value] : values)
    target.values.emplace_back(key.ToString().Utf8Value(), value.AsValue().ToString().Utf8Value());
  return target;
}

}  // namespace

Napi::Value pack_checkpoint(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto object = info[0].As<Napi::Object>();
  const std::string directory = object.Get("directory").ToString();
  CheckpointOptions checkpoint =
      checkpoint_from(directory, object.Get("packing")).value_or(CheckpointOptions{});
  checkpoint.path = directory;
  auto* worker =
      new PackWorker(env, std::move(checkpoint), target_from(object), object.Get("onProgress"));
  return worker->start();
}

}  // namespace infernode
