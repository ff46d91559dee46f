#include "failures.h"

#include <cerrno>
#include <new>

namespace infernode {

Failure engine_closed() {
  return {ErrorCode::kEngineClosed, "The engine is closed; create another one."};
}

Failure queue_full(std::size_t limit) {
  return {ErrorCode::kQueueFull,
          "The engine has " + std::to_string(limit) +
              " living requests, its limit; try again later or raise queueLimit."};
}

Failure failure_of(const std::exception_ptr& cause, const FailureSentences& sentences,
                   ErrorCode otherwise) noexcept {
  Failure failure{otherwise, {}};
  until_done([&] {
    try {
      std::rethrow_exception(cause);
    } catch (const Error& error) {
      failure = {error.code(), error.what()};
    } catch (const std::bad_alloc&) {
      failure = {ErrorCode::kOutOfMemory, std::string(sentences.out_of_memory)};
    } catch (...) {
      failure.message = std::string(sentences.failed) + ": " + reason_of(cause);
    }
  });
  return failure;
}

ErrorCode write_failure(int error) {
  if (error == ENOSPC || error == EDQUOT) return ErrorCode::kDiskFull;
  if (error == ENOMEM) return ErrorCode::kOutOfMemory;
  return ErrorCode::kFileNotWritable;
}

std::string reason_of(const std::exception_ptr& cause) {
  try {
    std::rethrow_exception(cause);
  } catch (const std::bad_alloc&) {
    return "memory ran out";
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an unknown exception";
  }
}

}  // namespace infernode
