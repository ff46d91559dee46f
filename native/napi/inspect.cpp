#include "napi/inspect.h"

#include <atomic>
#include <optional>
#include <string>
#include <utility>

#include "checkpoint/checkpoint_file.h"
#include "model/gguf_file.h"
#include "model/synthetic_file.h"
#include "napi/cancellable_worker.h"
#include "napi/checkpoint_convert.h"
#include "napi/convert.h"

namespace infernode {

namespace {

struct Inspected {
  std::string path;
  std::optional<SyntheticShape> synthetic;
  std::optional<CheckpointOptions> checkpoint;

  GgufFile read() const {
    if (synthetic) return SyntheticFile(*synthetic).parse();
    if (checkpoint) return CheckpointFile::open(*checkpoint)->parse();
    return GgufFile::read(path);
  }
};

Inspected inspected_from(const Napi::CallbackInfo& info) {
  std::string path = info[0].ToString();
  auto synthetic = synthetic_from(path, info[1]);
  auto checkpoint = checkpoint_from(path, info[2]);
  return {std::move(path), std::move(synthetic), std::move(checkpoint)};
}

Napi::Object header_to(Napi::Env env, const GgufFile& file) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("metadata", metadata_to(env, file));
  object.Set("tensors", tensors_to(env, file));
  object.Set("version", file.version());
  object.Set("fileBytes", static_cast<double>(file.file_bytes()));
  return object;
}

class InspectWorker final : public CancellableWorker {
 public:
  InspectWorker(Napi::Env env, Inspected inspected)
      : CancellableWorker(
            env, "infernode inspect",
            {.out_of_memory = "There is too little memory to read the model's header.",
             .failed = "The model's header could not be read"},
            env.Null()),
        inspected_(std::move(inspected)) {}

 protected:
  void work(const std::atomic<bool>& /*cancelled*/) override { file_.emplace(inspected_.read()); }
  Napi::Value result(Napi::Env env) override { return header_to(env, *file_); }

 private:
  Inspected inspected_;
  std::optional<GgufFile> file_;
};

}  // namespace

Napi::Value inspect_header(const Napi::CallbackInfo& info) {
  return header_to(info.Env(), inspected_from(info).read());
}

Napi::Value inspect_header_async(const Napi::CallbackInfo& info) {
  auto* worker = new InspectWorker(info.Env(), inspected_from(info));
  return worker->start().Get("promise");
}

}  // namespace infernode
