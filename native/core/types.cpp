#include "types.h"

#include <cstddef>
#include <span>

namespace infernode {

std::string_view error_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kModelNotFound:
      return "MODEL_NOT_FOUND";
    case ErrorCode::kModelUnreadable:
      return "MODEL_UNREADABLE";
    case ErrorCode::kModelNotGguf:
      return "MODEL_NOT_GGUF";
    case ErrorCode::kModelVersionUnsupported:
      return "MODEL_VERSION_UNSUPPORTED";
    case ErrorCode::kModelTruncated:
      return "MODEL_TRUNCATED";
    case ErrorCode::kModelCorrupt:
      return "MODEL_CORRUPT";
    case ErrorCode::kModelArchitectureUnsupported:
      return "MODEL_ARCHITECTURE_UNSUPPORTED";
    case ErrorCode::kModelFormatUnsupported:
      return "MODEL_FORMAT_UNSUPPORTED";
    case ErrorCode::kDiskFull:
      return "DISK_FULL";
    case ErrorCode::kModelLoadFailed:
      return "MODEL_LOAD_FAILED";
    case ErrorCode::kFileNotWritable:
      return "FILE_NOT_WRITABLE";
    case ErrorCode::kOutOfMemory:
      return "OUT_OF_MEMORY";
    case ErrorCode::kInvalidOption:
      return "INVALID_OPTION";
    case ErrorCode::kContextOverflow:
      return "CONTEXT_OVERFLOW";
    case ErrorCode::kQueueFull:
      return "QUEUE_FULL";
    case ErrorCode::kCancelled:
      return "CANCELLED";
    case ErrorCode::kModelClosed:
      return "MODEL_CLOSED";
    case ErrorCode::kEngineClosed:
      return "ENGINE_CLOSED";
    case ErrorCode::kDecodeFailed:
      return "DECODE_FAILED";
    case ErrorCode::kDeviceFailed:
      return "DEVICE_FAILED";
    case ErrorCode::kEngineBroken:
      return "ENGINE_BROKEN";
  }
  return "ENGINE_BROKEN";
}

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kCancelled:
      return "cancelled";
    case FinishReason::kError:
      return "error";
  }
  return "error";
}

std::string cache_key(const std::string& salt, const AdapterScales& adapters) {
  if (adapters.empty()) return salt;
  const auto bytes = std::as_bytes(std::span(adapters));
  std::string key = salt + '\0' + "adapters";
  for (const std::byte byte : bytes) key += static_cast<char>(byte);
  return key;
}

}  // namespace infernode
