// What quantization configs say, as makers write them, and those that must be refused: the
// method's name and what to take instead are in the sentence.
#include <string>

#include "check.h"
#include "checkpoint/quantization.h"
#include "core/types.h"
#include "quantized_folder.h"

using namespace infernode;

namespace {

struct File {
  const char* name;
  std::string text;
};

// A folder with one plain tensor and these files.
std::string description_of(const std::vector<File>& files) {
  const TemporaryFolder path;
  path.write("model.safetensors",
             safetensors_bytes({{"other.weight", {"F16", {1, 32}, std::string(64, '\0')}}}));
  for (const File& file : files) path.write(file.name, file.text);
  const CheckpointFolder folder = CheckpointFolder::open(path.path());
  const auto quantization = read_quantization(folder);
  return quantization == nullptr ? "plain" : quantization->description();
}

std::string in_config(const std::string& quantization) {
  return R"({"model_type":"llama","quantization_config":)" + quantization + "}";
}

struct Accepted {
  const char* config;
  const char* description;
};

TEST("configs as makers write them are taken") {
  const Accepted accepted[] = {
      {"null", "plain"},
      {R"({"bits":4,"group_size":128,"modules_to_not_convert":null,"quant_method":"awq","version":"gemm","zero_point":true})",
       "AWQ gemm, 4 bits, groups of 128, asymmetric"},
      {R"({"bits":4,"group_size":64,"quant_method":"awq","version":"GEMV","zero_point":true})",
       "AWQ gemv, 4 bits, groups of 64, asymmetric"},
      {R"({"bits":4,"group_size":-1,"quant_method":"awq","version":"gemv_fast","zero_point":true,"do_fuse":true,"fuse_max_seq_len":512})",
       "AWQ gemv_fast, 4 bits, one scale a row, asymmetric"},
      {R"({"autoround_version":"0.15.1","bits":4,"data_type":"int","group_size":64,"iters":0,"modules_to_not_convert":["lm_head"],"provider":"auto-round","quant_method":"awq","sym":true,"version":"gemm","zero_point":false})",
       "AWQ gemm, 4 bits, groups of 64, symmetric"},
      {R"({"bits":4,"group_size":128,"quant_method":"awq","format":"gemm","pack_dtype":"int32","dynamic":{"-:.*lm_head.*":{}},"lm_head":false,"meta":{"quantizer":["gptqmodel:7.1.0"]}})",
       "AWQ gemm, 4 bits, groups of 128, asymmetric"},
      {R"({"bits":4,"group_size":128,"quant_method":"awq","backend":"llm-awq","zero_point":true})",
       "llm-awq, 4 bits, groups of 128, asymmetric"},
      {R"({"bits":4,"group_size":128,"desc_act":false,"quant_method":"gptq","sym":true,"true_sequential":true})",
       "GPTQ, 4 bits, groups of 128, symmetric"},
      {R"({"bits":8,"group_size":32,"checkpoint_format":"gptq_v2","desc_act":false,"quant_method":"gptq","sym":true,"static_groups":false})",
       "GPTQ v2, 8 bits, groups of 32, symmetric"},
      {R"({"bits":4,"group_size":128,"quant_method":"auto-round","packing_format":"auto_round:auto_gptq","sym":true,"extra_config":{"lm_head":{"bits":16}}})",
       "GPTQ, 4 bits, groups of 128, symmetric"},
      {R"({"bits":4,"group_size":128,"quant_method":"auto-round","packing_format":"auto_round:gptqmodel","sym":false})",
       "GPTQ v2, 4 bits, groups of 128, asymmetric"},
      {R"({"bits":4,"group_size":128,"quant_method":"intel/auto-round","packing_format":"auto_round:auto_awq","sym":true})",
       "AWQ gemm, 4 bits, groups of 128, symmetric"},
      {R"({"quant_method":"compressed-tensors","format":"pack-quantized","kv_cache_scheme":null,"sparsity_config":{},"transform_config":{},"config_groups":{"group_0":{"targets":["Linear"],"weights":{"num_bits":4,"type":"int","symmetric":true,"strategy":"group","group_size":128,"actorder":"static","dynamic":false},"input_activations":null,"output_activations":null}}})",
       "compressed-tensors pack-quantized, 4 bits, groups of 128, symmetric"},
      {R"({"quant_method":"compressed-tensors","format":"int-quantized","config_groups":{"group_0":{"targets":["Linear"],"weights":{"num_bits":8,"type":"int","symmetric":true,"strategy":"channel","group_size":null,"dynamic":false},"input_activations":{"num_bits":8,"type":"int","symmetric":true,"strategy":"token","dynamic":true}}}})",
       "compressed-tensors int-quantized, 8 bits, one scale a row, symmetric; activations are "
       "rounded as ggml rounds them, not as the checkpoint says"},
      {R"({"quant_method":"compressed-tensors","format":"pack-quantized","kv_cache_scheme":{"num_bits":8,"type":"float","dynamic":false},"config_groups":{"group_0":{"weights":{"num_bits":4,"type":"int","strategy":"group","group_size":128}}}})",
       "compressed-tensors pack-quantized, 4 bits, groups of 128, symmetric; its KV cache scheme "
       "is not followed"},
  };
  for (const Accepted& each : accepted) {
    CHECK_EQ(description_of({{"config.json", in_config(each.config)}}), each.description);
  }
}

TEST("files of older makers are read where config.json says nothing") {
  CHECK_EQ(
      description_of({{"config.json", "{}"},
                      {"quant_config.json",
                       R"({"zero_point":true,"q_group_size":128,"w_bit":4,"version":"GEMM"})"}}),
      "AWQ gemm, 4 bits, groups of 128, asymmetric");
  CHECK_EQ(description_of({{"config.json", "{}"},
                           {"quantize_config.json",
                            R"({"bits":4,"group_size":128,"desc_act":false,"sym":true})"}}),
           "GPTQ, 4 bits, groups of 128, symmetric");
  const std::string same = R"({"bits":4,"group_size":64,"quant_method":"awq","version":"gemm"})";
  CHECK_EQ(description_of({{"config.json", in_config(same)}, {"quantization_config.json", same}}),
           "AWQ gemm, 4 bits, groups of 64, asymmetric");
}

void refuse(const std::vector<File>& files, ErrorCode code, const std::string& says) {
  try {
    check::fail(__FILE__, __LINE__, description_of(files) + " loads, though it must say: " + says);
  } catch (const Error& error) {
    const std::string message = error.what();
    if (message.find(says) == std::string::npos) check::fail(__FILE__, __LINE__, message);
    if (error.code() != code) check::fail(__FILE__, __LINE__, "another code: " + message);
  }
}

TEST("two configs that contradict each other are refused") {
  const std::string config = in_config(R"({"bits":4,"group_size":64,"quant_method":"awq"})");
  refuse({{"config.json", config}, {"quant_config.json", R"({"w_bit":4,"q_group_size":128})"}},
         ErrorCode::kModelCorrupt, "contradicts");
}

TEST("methods that cannot be loaded are refused by name, with what to take instead") {
  for (const char* const method :
       {"bitsandbytes", "hqq", "mlx", "fp8", "fbgemm_fp8", "mxfp4", "nvfp4", "modelopt", "quanto",
        "torchao", "eetq", "aqlm", "vptq", "spqr", "higgs", "smoothquant", "marlin", "exl2",
        "something-new"}) {
    const std::string config = in_config(R"({"quant_method":")" + std::string(method) + "\"}");
    refuse({{"config.json", config}}, ErrorCode::kModelFormatUnsupported,
           "the quantization method '" + std::string(method) + "'");
    refuse({{"config.json", config}}, ErrorCode::kModelFormatUnsupported, "; take ");
  }
  refuse({{"config.json", in_config(R"({"load_in_4bit":true})")}},
         ErrorCode::kModelFormatUnsupported, "bitsandbytes");
  refuse({{"config.json", R"({"quantization":{"bits":4,"group_size":64}})"}},
         ErrorCode::kModelFormatUnsupported, "MLX");
}

struct Refused {
  const char* config;
  ErrorCode code;
  const char* says;
};

TEST("configs that ask for what is not computed are refused, by key") {
  constexpr auto kUnsupported = ErrorCode::kModelFormatUnsupported;
  constexpr auto kCorrupt = ErrorCode::kModelCorrupt;
  const Refused refused[] = {
      {R"({"group_size":128})", kCorrupt, "quant_method is missing"},
      {R"({"quant_method":"awq","bits":3,"group_size":128})", kUnsupported, "bits 3"},
      {R"({"quant_method":"awq","bits":8,"group_size":128})", kUnsupported, "bits 8"},
      {R"({"quant_method":"gptq","bits":2,"group_size":128})", kUnsupported, "bits 2"},
      {R"({"quant_method":"gptq","group_size":128})", kCorrupt, "bits is missing"},
      {R"({"quant_method":"awq","bits":"four"})", kCorrupt, "bits must be a whole number"},
      {R"({"quant_method":"awq","bits":4,"group_size":0})", kCorrupt, "group_size"},
      {R"({"quant_method":"awq","bits":4,"group_size":-7})", kCorrupt, "group_size"},
      {R"({"quant_method":"awq","bits":4,"group_size":16})", kUnsupported, "group_size 16"},
      {R"({"quant_method":"awq","bits":4,"group_size":"all"})", kCorrupt, "group_size"},
      {R"({"quant_method":"awq","bits":4,"version":"marlin"})", kUnsupported, "'marlin'"},
      {R"({"quant_method":"awq","bits":4,"version":"exllama"})", kUnsupported, "'exllama'"},
      {R"({"quant_method":"awq","bits":4,"version":"ipex"})", kUnsupported, "'ipex'"},
      {R"({"quant_method":"gptq","bits":4,"checkpoint_format":"marlin"})", kUnsupported,
       "'marlin'"},
      {R"({"quant_method":"gptq","bits":4,"is_marlin_format":true})", kUnsupported, "marlin"},
      {R"({"quant_method":"gptq","bits":4,"pack_dtype":"int16"})", kUnsupported, "pack_dtype"},
      {R"({"quant_method":"gptq","bits":4,"dynamic":{"+:.*down.*":{"bits":8}}})", kUnsupported,
       "dynamic"},
      {R"({"quant_method":"auto-round","bits":4,"packing_format":"auto_round:fp8"})", kUnsupported,
       "packing_format"},
      {R"({"quant_method":"auto-round","bits":4,"data_type":"mx_fp"})", kUnsupported, "data_type"},
      {R"({"quant_method":"auto-round","bits":4,"act_bits":8})", kUnsupported, "act_bits"},
      {R"({"quant_method":"auto-round","bits":4,"group_size":128,"extra_config":{"a.b":{"bits":8}}})",
       kUnsupported, "extra_config ('a.b'"},
      {R"({"quant_method":"compressed-tensors","format":"pack-quantized"})", kCorrupt,
       "config_groups"},
      {R"({"quant_method":"compressed-tensors","format":"marlin-24","config_groups":{"g":{"weights":{"num_bits":4}}}})",
       kUnsupported, "'marlin-24'"},
      {R"({"quant_method":"compressed-tensors","format":"nvfp4-pack-quantized","config_groups":{"g":{"weights":{"num_bits":4,"type":"float"}}}})",
       kUnsupported, "'nvfp4-pack-quantized'"},
      {R"({"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"weights":{"num_bits":3}}}})",
       kUnsupported, "num_bits 3"},
      {R"({"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"weights":{"num_bits":4,"dynamic":true}}}})",
       kUnsupported, "dynamic quantization"},
      {R"({"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"weights":{"num_bits":4,"strategy":"tensor"}}}})",
       kUnsupported, "'tensor'"},
      {R"({"quant_method":"compressed-tensors","format":"int-quantized","config_groups":{"g":{"weights":{"num_bits":8},"input_activations":{"num_bits":8,"dynamic":false}}}})",
       kUnsupported, "input_activations"},
      {R"({"quant_method":"compressed-tensors","format":"int-quantized","config_groups":{"g":{"weights":{"num_bits":8},"output_activations":{"num_bits":8}}}})",
       kUnsupported, "output_activations"},
      {R"({"quant_method":"compressed-tensors","format":"pack-quantized","sparsity_config":{"format":"sparse-24-bitmask"},"config_groups":{"g":{"weights":{"num_bits":4}}}})",
       kUnsupported, "sparsity_config"},
      {R"({"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"a":{"weights":{"num_bits":4,"group_size":32,"strategy":"group"}},"b":{"weights":{"num_bits":4,"group_size":64,"strategy":"group"}}}})",
       kUnsupported, "config_groups"},
  };
  for (const Refused& each : refused) {
    refuse({{"config.json", in_config(each.config)}}, each.code, each.says);
  }
}

}  // namespace
