#include "checkpoint/checkpoint_file.h"

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "checkpoint/model_config.h"
#include "checkpoint/quantization.h"
#include "checkpoint/tensor_plan.h"
#include "checkpoint/tensor_rows.h"
#include "checkpoint/tensor_types.h"
#include "checkpoint/tokenizer.h"
#include "core/types.h"
#include "model/gguf_reads.h"
#include "model/gguf_text.h"
#include "model/gguf_writer.h"

namespace infernode {

namespace {

constexpr std::uint32_t kQuantizationVersion = 2;  // GGML_QNT_VERSION

int threads_of(const CheckpointOptions& options) {
  if (options.threads > 0) return options.threads;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// The model's name: that of the directory, or of the repository in a hub cache.
std::string folder_name(const CheckpointFolder& folder) {
  const std::filesystem::path path =
      std::filesystem::absolute(folder.path()).lexically_normal() / "";
  std::string name = path.parent_path().filename().string();
  const std::filesystem::path above = path.parent_path().parent_path();
  if (above.filename() == "snapshots") {
    const std::string cached = above.parent_path().filename().string();
    name = cached.substr(cached.rfind("--") == std::string::npos ? 0 : cached.rfind("--") + 2);
  }
  return name;
}

bool says_phi3(std::string name) {
  std::ranges::transform(name, name.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  return name.find("phi-3") != std::string::npos || name.find("phi3") != std::string::npos;
}

// Whether the vocabulary has the tokens that llama.cpp requires, unchecked, of a model named Phi-3.
bool has_phi3_tokens(const GgufWriter& header, const std::string& label) {
  const std::string bytes = header.header();
  const GgufFile file = GgufFile::parse(bytes, bytes.size(), label);
  const GgufValue* value = file.find("tokenizer.ggml.tokens");
  const auto* array = value == nullptr ? nullptr : std::get_if<GgufArray>(&value->value);
  if (array == nullptr) return false;
  const std::vector<std::string_view> tokens = file.strings(*array);
  const auto missing = [&](std::string_view token) {
    return std::ranges::find(tokens, token) == tokens.end();
  };
  return std::ranges::none_of(
      std::initializer_list<std::string_view>{"</s>", "<unk>", "<s>", "<|endoftext|>"}, missing);
}

// llama.cpp decides by the model's name whether to strip spaces after special tokens, and fails on
// a vocabulary without Phi-3's tokens: such a model gets another name.
std::string name_of(const CheckpointFolder& folder, const ModelConfig& config,
                    const GgufWriter& header) {
  std::string name = folder_name(folder);
  const bool phi3 = config.mapping->name == "phi3";
  if (!phi3 && !says_phi3(name)) return name;
  if (!has_phi3_tokens(header, folder.path())) return says_phi3(name) ? "phi" : name;
  return says_phi3(name) ? name : "phi-3 " + name;
}

std::string lower_dtype(TensorDtype dtype) {
  std::string name(dtype_name(dtype));
  std::ranges::transform(name, name.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  return name;
}

// One of the file's tensors.
struct Placed {
  std::uint64_t begin = 0;  // first byte in the file
  std::uint64_t bytes = 0;
  PlannedTensor plan;
  PackedType type = PackedType::kF32;
  PackingError error;  // of the rows read so far
};

class PackedCheckpoint final : public CheckpointFile {
 public:
  explicit PackedCheckpoint(const CheckpointOptions& options)
      : folder_(options.headers_only ? CheckpointFolder::open_headers(options.path)
                                     : CheckpointFolder::open(options.path)),
        config_(read_model_config(folder_)),
        quantization_(read_quantization(folder_)),
        notes_(config_.notes),
        rows_(folder_, threads_of(options)) {
    TensorPlan plan = plan_tensors(folder_, config_, quantization_.get());
    notes_.insert(notes_.end(), plan.notes.begin(), plan.notes.end());
    description_ = quantization_ ? quantization_->description() : plain_description(plan);
    GgufWriter header;
    write_tokens(options, plan, header);
    const std::vector<PackedType> types = choose_types(
        plan.tensors, options, quantization_ && quantization_->symmetric(), threads_of(options));
    tell_eight_bits(plan, types);
    write_values(plan, types, header);
    place(std::move(plan), types, header);
  }

  const std::string& label() const override { return folder_.path(); }
  std::uint64_t size() const override { return header_.size() + data_bytes_; }
  GgufFile parse() const override { return GgufFile::parse(header_, size(), label()); }

  void read(std::uint64_t position, std::span<char> out) const override;
  CheckpointReport report() const override;

 private:
  static std::string plain_description(const TensorPlan& plan) {
    for (const PlannedTensor& tensor : plan.tensors) {
      if (tensor.role == TensorRole::kLinear) return lower_dtype(tensor.plain->dtype);
    }
    return "";
  }

  // The vocabulary, whose size is the number of rows of the embeddings and the head.
  void write_tokens(const CheckpointOptions& options, TensorPlan& plan, GgufWriter& header) {
    TokenizerNeeds needs;
    needs.architecture = config_.mapping->name;
    needs.pre_tokenizer = options.pre_tokenizer;
    for (const PlannedTensor& tensor : plan.tensors) {
      if (tensor.role == TensorRole::kEmbedding) needs.embedding_rows = tensor.rows;
    }
    const WrittenTokenizer written = write_tokenizer(folder_, needs, header);
    vocabulary_ = written.tokens;
    notes_.insert(notes_.end(), written.notes.begin(), written.notes.end());
    const bool fits = config_.mapping->cuts_vocabulary ? vocabulary_ <= needs.embedding_rows
                                                       : vocabulary_ == needs.embedding_rows;
    INFERNODE_CHECK(fits, "the tokenizer has another number of tokens than the embeddings");
    for (PlannedTensor& tensor : plan.tensors) {
      if (tensor.role == TensorRole::kEmbedding || tensor.role == TensorRole::kHead)
        tensor.rows = vocabulary_;
    }
  }

  void write_values(const TensorPlan& plan, std::span<const PackedType> types,
                    GgufWriter& header) const {
    const std::string architecture(config_.mapping->name);
    header.text("general.architecture", architecture);
    header.text("general.name", name_of(folder_, config_, header));
    header.text("general.description", "from safetensors: " + description_);
    header.whole("general.file_type", file_type_of(plan.tensors, types));
    header.whole("general.quantization_version", kQuantizationVersion);
    header.whole(architecture + ".vocab_size", static_cast<std::uint32_t>(vocabulary_));
    write_hyperparameters(config_, header);
  }

  // Among quantized weights, only those of 8 bits with zero points become F16.
  void tell_eight_bits(const TensorPlan& plan, std::span<const PackedType> types) {
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (plan.tensors[i].quantized == nullptr || types[i] != PackedType::kF16) continue;
      notes_.emplace_back(
          "Weights of 8 bits with zero points become f16, twice their size: no quantized type "
          "holds "
          "them. A symmetric W8A16 or a W4A16 checkpoint stays small.");
      return;
    }
  }

  void place(TensorPlan plan, std::span<const PackedType> types, GgufWriter& header) {
    for (std::size_t i = 0; i < types.size(); ++i) {
      Placed& placed = tensors_.emplace_back();
      placed.plan = std::move(plan.tensors[i]);
      placed.type = types[i];
      placed.begin = header.data_bytes();
      const auto columns = static_cast<std::size_t>(placed.plan.columns);
      placed.bytes = placed.plan.rows * packed_row_bytes(placed.type, columns);
      header.tensor(placed.plan.name, shape_of(placed.plan), ggml_type_number(placed.type),
                    placed.bytes);
    }
    data_bytes_ = header.data_bytes();
    header_ = header.header();
    for (Placed& placed : tensors_) placed.begin += header_.size();
  }

  // In ggml's order: row length first. Vectors have one dimension.
  static std::vector<std::uint64_t> shape_of(const PlannedTensor& tensor) {
    const bool matrix = tensor.role == TensorRole::kLinear || tensor.role == TensorRole::kHead ||
                        tensor.role == TensorRole::kEmbedding;
    if (matrix) return {tensor.columns, tensor.rows};
    return {tensor.columns * tensor.rows};
  }

  CheckpointFolder folder_;
  ModelConfig config_;
  std::unique_ptr<const Quantization> quantization_;
  std::vector<std::string> notes_;
  std::string description_;
  std::uint64_t vocabulary_ = 0;
  std::string header_;
  std::uint64_t data_bytes_ = 0;

  mutable std::mutex mutex_;  // serializes reads
  mutable TensorRows rows_;
  mutable std::vector<Placed> tensors_;  // sorted by `begin`
};

void PackedCheckpoint::read(std::uint64_t position, std::span<char> out) const {
  const std::lock_guard lock(mutex_);
  read_placed(header_, tensors_, size(), position, out,
              [&](Placed& placed, std::uint64_t within, std::span<char> part) {
                rows_.read(placed.plan, placed.type, within, std::as_writable_bytes(part),
                           placed.error);
              });
}

CheckpointReport PackedCheckpoint::report() const {
  const std::lock_guard lock(mutex_);
  CheckpointReport report{description_, notes_, {}};
  for (const Placed& placed : tensors_) {
    PackedTensor& tensor = report.tensors.emplace_back();
    tensor.name = placed.plan.name;
    tensor.from = placed.plan.quantized != nullptr ? description_
                  : placed.plan.plain != nullptr   ? lower_dtype(placed.plan.plain->dtype)
                                                   : placed.plan.source;
    tensor.type = placed.type;
    tensor.weights = placed.plan.rows * placed.plan.columns;
    tensor.bytes = placed.bytes;
    tensor.error = placed.error;
  }
  return report;
}

}  // namespace

std::shared_ptr<const CheckpointFile> CheckpointFile::open(const CheckpointOptions& options) {
  return std::make_shared<const PackedCheckpoint>(options);
}

}  // namespace infernode
