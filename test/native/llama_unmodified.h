// What llama.cpp computes without our routines in its CPU backend (native/cpu): the
// reference of llama_reference.h in a process of its own, for a process has one CPU backend.
// Forked from a test before it has loaded anything; it ends with the test.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "llama_reference.h"
#include "model_fixture.h"

namespace infernode {

class UnmodifiedLlama {
 public:
  // The process's only one. The first call must come before a model is loaded.
  static const UnmodifiedLlama& start() {
    static const UnmodifiedLlama only;
    return only;
  }

  // LlamaReference::logits() with the embedded model of a type.
  std::vector<std::vector<float>> logits(const std::string& type, bool flash_attention,
                                         const std::vector<TokenId>& prompt,
                                         const std::vector<TokenId>& forced) const {
    send_all(std::vector<char>(type.begin(), type.end()));
    send_all(std::vector<char>{static_cast<char>(flash_attention)});
    send_all(prompt);
    send_all(forced);
    std::vector<std::vector<float>> rows;
    for (std::size_t row = 0; row < forced.size(); ++row) rows.push_back(receive<float>().value());
    return rows;
  }

 private:
  UnmodifiedLlama() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) throw std::runtime_error("no socket pair");
    const pid_t child = fork();
    if (child < 0) throw std::runtime_error("no process for the reference");
    socket_ = ends[child == 0 ? 1 : 0];
    close(ends[child == 0 ? 0 : 1]);
    if (child == 0) serve();
  }

  [[noreturn]] void serve() const {
    try {
      start_llama_runtime(INFERNODE_TEST_BACKENDS "/unmodified");
      std::string loaded;
      std::shared_ptr<const LlamaModel> model;
      while (const auto name = receive<char>()) {
        const std::string type(name->begin(), name->end());
        if (type != loaded) model = load_embedded(type), loaded = type;
        const bool flash_attention = receive<char>().value().at(0) != 0;
        const auto prompt = receive<TokenId>().value();
        const auto forced = receive<TokenId>().value();
        const LlamaReference reference(model->handle(), {.flash_attention = flash_attention});
        for (const auto& row : reference.logits(prompt, forced)) send_all(row);
      }
    } catch (const std::exception& error) {
      std::fprintf(stderr, "the unmodified reference: %s\n", error.what());
    }
    _exit(0);
  }

  // A count and as many values.
  template <typename Value>
  void send_all(const std::vector<Value>& values) const {
    const std::uint64_t count = values.size();
    send_bytes(&count, sizeof count);
    send_bytes(values.data(), count * sizeof(Value));
  }

  // Nothing where the other end has gone.
  template <typename Value>
  std::optional<std::vector<Value>> receive() const {
    std::uint64_t count = 0;
    if (!receive_bytes(&count, sizeof count)) return std::nullopt;
    std::vector<Value> values(count);
    if (!receive_bytes(values.data(), count * sizeof(Value))) return std::nullopt;
    return values;
  }

  void send_bytes(const void* data, std::size_t size) const {
    for (std::size_t sent = 0; sent < size;) {
      const ssize_t count =
          send(socket_, static_cast<const char*>(data) + sent, size - sent, MSG_NOSIGNAL);
      if (count <= 0) throw std::runtime_error("the other process of the reference has ended");
      sent += static_cast<std::size_t>(count);
    }
  }

  bool receive_bytes(void* data, std::size_t size) const {
    for (std::size_t received = 0; received < size;) {
      const ssize_t count = recv(socket_, static_cast<char*>(data) + received, size - received, 0);
      if (count <= 0) return false;
      received += static_cast<std::size_t>(count);
    }
    return true;
  }

  int socket_;
};

}  // namespace infernode
