// A ggml backend library for tests: one or two devices of type GPU whose memory is the
// host's, whose arithmetic is the CPU backend's, and which fail when they are told to. To
// llama.cpp they are devices like any other: memory of their own that is no host memory, so
// that weights and states are copied; a limit on it; asynchronous with events, so that two of
// them work as a pipeline; large products are taken over from the CPU (offload_op).
//
// Read from the environment once, as the library is loaded:
//   INFERNODE_LIMITED_DEVICES       how many; default 1
//   INFERNODE_LIMITED_MEMORY        bytes of each; default 1 GiB; two numbers with a comma
//   INFERNODE_LIMITED_COMPUTE_AT    this computation and all later ones fail; "7!": only this
//   INFERNODE_LIMITED_MANNER        how they fail: "fails" (default), "memory", "throws", "aborts"
//   INFERNODE_LIMITED_ALLOCATION_AT this allocation and all later ones fail; "7!": only this
// Native tests change the same values while they run (limited_device.h).
#include "limited_device.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

#include "ggml-backend-impl.h"
#include "ggml-backend.h"

namespace infernode {

namespace {

constexpr std::uint64_t kDefaultMemory = std::uint64_t{1} << 30;
constexpr std::size_t kAlignment = 128;
constexpr std::int64_t kRowsWorthTaking = 32;  // as CUDA and Vulkan decide

struct Device {
  int index = 0;
  std::string name;
  ggml_backend_device device = {};
  ggml_backend_buffer_type buffer_type = {};
};

struct Library {
  LimitedDevices state;
  int count = 1;
  std::array<Device, kMostLimitedDevices> devices;
  ggml_backend_reg registry = {};
  std::mutex mutex;  // guards the next
  std::set<ggml_backend_buffer_t> living;
};

// Leaked on purpose: ggml keeps devices until the process has ended.
Library& library() {
  static Library& only = *new Library;
  return only;
}

Device& device_of(ggml_backend_dev_t device) { return *static_cast<Device*>(device->context); }

LimitedDevices::Memory& memory_of(const Device& device) {
  return library().state.memory.at(static_cast<std::size_t>(device.index));
}

// --- memory ------------------------------------------------------------------

struct Block {
  Device* device;
  void* bytes;
};

Block& block_of(ggml_backend_buffer_t buffer) { return *static_cast<Block*>(buffer->context); }

void free_buffer(ggml_backend_buffer_t buffer) {
  {
    const std::lock_guard lock(library().mutex);
    library().living.erase(buffer);
  }
  const Block* block = &block_of(buffer);
  memory_of(*block->device).used -= buffer->size;
  std::free(block->bytes);
  delete block;
}

void* base_of(ggml_backend_buffer_t buffer) { return block_of(buffer).bytes; }

void memset_tensor(ggml_backend_buffer_t, ggml_tensor* tensor, std::uint8_t value,
                   std::size_t offset, std::size_t size) {
  std::memset(static_cast<char*>(tensor->data) + offset, value, size);
}

void set_tensor(ggml_backend_buffer_t, ggml_tensor* tensor, const void* data, std::size_t offset,
                std::size_t size) {
  std::memcpy(static_cast<char*>(tensor->data) + offset, data, size);
}

void get_tensor(ggml_backend_buffer_t, const ggml_tensor* tensor, void* data, std::size_t offset,
                std::size_t size) {
  std::memcpy(data, static_cast<const char*>(tensor->data) + offset, size);
}

// Between devices of this library, and from the host.
bool copy_tensor(ggml_backend_buffer_t, const ggml_tensor* from, ggml_tensor* to) {
  const bool ours = from->buffer->iface.free_buffer == free_buffer;
  if (!ours && !ggml_backend_buffer_is_host(from->buffer)) return false;
  std::memcpy(to->data, from->data, ggml_nbytes(from));
  return true;
}

void clear_buffer(ggml_backend_buffer_t buffer, std::uint8_t value) {
  std::memset(block_of(buffer).bytes, value, buffer->size);
}

// Takes room for `size` bytes; false: there is none.
bool take_room(LimitedDevices::Memory& memory, std::size_t size) {
  const std::uint64_t used = memory.used += size;
  if (used > memory.limit) {
    memory.used -= size;
    ++memory.refusals;
    return false;
  }
  memory.most = std::max(memory.most.load(), used);
  return true;
}

ggml_backend_buffer_t allocate(ggml_backend_buffer_type_t type, std::size_t size) {
  Device& device = device_of(type->device);
  if (library().state.allocation.strikes() || !take_room(memory_of(device), size)) return nullptr;
  const std::size_t rounded = (size + kAlignment - 1) / kAlignment * kAlignment;
  void* bytes = std::aligned_alloc(kAlignment, rounded);
  if (bytes == nullptr) {
    memory_of(device).used -= size;
    return nullptr;
  }
  ggml_backend_buffer_i interface = {};
  interface.free_buffer = free_buffer;
  interface.get_base = base_of;
  interface.memset_tensor = memset_tensor;
  interface.set_tensor = set_tensor;
  interface.get_tensor = get_tensor;
  interface.cpy_tensor = copy_tensor;
  interface.clear = clear_buffer;
  ggml_backend_buffer_t buffer =
      ggml_backend_buffer_init(type, interface, new Block{&device, bytes}, size);
  const std::lock_guard lock(library().mutex);
  library().living.insert(buffer);
  return buffer;
}

std::uint64_t bytes_lying(int device, int usage) {
  const std::lock_guard lock(library().mutex);
  std::uint64_t bytes = 0;
  for (ggml_backend_buffer_t buffer : library().living) {
    if (block_of(buffer).device->index == device && buffer->usage == usage) bytes += buffer->size;
  }
  return bytes;
}

const char* buffer_type_name(ggml_backend_buffer_type_t type) {
  return device_of(type->device).name.c_str();
}

std::size_t alignment_of(ggml_backend_buffer_type_t) { return kAlignment; }

bool never_host(ggml_backend_buffer_type_t) { return false; }

// --- arithmetic --------------------------------------------------------------

ggml_backend_dev_t cpu() { return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU); }

ggml_backend_t cpu_of(ggml_backend_t backend) {
  return static_cast<ggml_backend_t>(backend->context);
}

const char* backend_name(ggml_backend_t backend) { return device_of(backend->device).name.c_str(); }

void free_backend(ggml_backend_t backend) {
  ggml_backend_free(cpu_of(backend));
  delete backend;
}

ggml_status compute(ggml_backend_t backend, ggml_cgraph* graph) {
  LimitedDevices& state = library().state;
  if (state.compute.strikes()) {
    switch (state.manner.load()) {
      case LimitedManner::kFails:
        return GGML_STATUS_FAILED;
      case LimitedManner::kNoMemory:
        return GGML_STATUS_ALLOC_FAILED;
      case LimitedManner::kThrows:  // as Vulkan's backend does
        throw std::runtime_error("the limited device is lost");
      case LimitedManner::kAborts:  // as CUDA's backend does
        GGML_ABORT("the limited device has an error");
    }
  }
  return ggml_backend_graph_compute(cpu_of(backend), graph);
}

// Everything is done when a call returns.
void synchronize(ggml_backend_t) {}
void record_event(ggml_backend_t, ggml_backend_event_t) {}
void wait_for_event(ggml_backend_t, ggml_backend_event_t) {}

ggml_guid_t guid() {
  static ggml_guid only = {0x1f, 0x5a, 0x6c, 0x11, 0x20, 0x09, 0x4e, 0x81,
                           0x91, 0x4c, 0x33, 0x70, 0xd2, 0x5e, 0x0b, 0x47};
  return &only;
}

ggml_backend_t make_backend(ggml_backend_dev_t device, const char*) {
  ggml_backend_t on_cpu = ggml_backend_dev_init(cpu(), nullptr);
  if (on_cpu == nullptr) return nullptr;
  const auto set_threads =
      reinterpret_cast<ggml_backend_set_n_threads_t>(ggml_backend_reg_get_proc_address(
          ggml_backend_dev_backend_reg(cpu()), "ggml_backend_set_n_threads"));
  if (set_threads != nullptr) set_threads(on_cpu, 1);
  ggml_backend_i interface = {};
  interface.get_name = backend_name;
  interface.free = free_backend;
  interface.synchronize = synchronize;
  interface.graph_compute = compute;
  interface.event_record = record_event;
  interface.event_wait = wait_for_event;
  return new ggml_backend{guid(), interface, device, on_cpu};
}

// --- devices -----------------------------------------------------------------

const char* device_name(ggml_backend_dev_t device) { return device_of(device).name.c_str(); }

const char* device_description(ggml_backend_dev_t) { return "host memory with a limit, for tests"; }

void device_memory(ggml_backend_dev_t device, std::size_t* free, std::size_t* total) {
  const LimitedDevices::Memory& memory = memory_of(device_of(device));
  *total = memory.limit;
  *free = *total - std::min<std::size_t>(*total, memory.used);
}

enum ggml_backend_dev_type device_type(ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_GPU; }

void device_properties(ggml_backend_dev_t device, ggml_backend_dev_props* properties) {
  properties->name = device_name(device);
  properties->description = device_description(device);
  properties->type = device_type(device);
  properties->device_id = nullptr;
  device_memory(device, &properties->memory_free, &properties->memory_total);
  properties->caps = {};
  properties->caps.async = true;
  properties->caps.events = true;
}

ggml_backend_buffer_type_t device_buffer_type(ggml_backend_dev_t device) {
  return &device_of(device).buffer_type;
}

bool supports_op(ggml_backend_dev_t, const ggml_tensor* op) {
  return ggml_backend_dev_supports_op(cpu(), op);
}

bool supports_buffer_type(ggml_backend_dev_t device, ggml_backend_buffer_type_t type) {
  return type == &device_of(device).buffer_type;
}

bool takes_over(ggml_backend_dev_t, const ggml_tensor* op) {
  if (op->op == GGML_OP_MUL_MAT) return op->ne[1] >= kRowsWorthTaking;
  return op->op == GGML_OP_MUL_MAT_ID && op->ne[2] >= kRowsWorthTaking;
}

ggml_backend_event_t new_event(ggml_backend_dev_t device) {
  return new ggml_backend_event{device, nullptr};
}

void free_event(ggml_backend_dev_t, ggml_backend_event_t event) { delete event; }

void synchronize_event(ggml_backend_dev_t, ggml_backend_event_t) {}

void set_up_device(Library& all, int index) {
  Device& device = all.devices.at(static_cast<std::size_t>(index));
  device.index = index;
  device.name = "Limited" + std::to_string(index);
  device.device.reg = &all.registry;
  device.device.context = &device;
  ggml_backend_device_i& interface = device.device.iface;
  interface.get_name = device_name;
  interface.get_description = device_description;
  interface.get_memory = device_memory;
  interface.get_type = device_type;
  interface.get_props = device_properties;
  interface.init_backend = make_backend;
  interface.get_buffer_type = device_buffer_type;
  interface.supports_op = supports_op;
  interface.supports_buft = supports_buffer_type;
  interface.offload_op = takes_over;
  interface.event_new = new_event;
  interface.event_free = free_event;
  interface.event_synchronize = synchronize_event;
  device.buffer_type.device = &device.device;
  device.buffer_type.iface.get_name = buffer_type_name;
  device.buffer_type.iface.alloc_buffer = allocate;
  device.buffer_type.iface.get_alignment = alignment_of;
  device.buffer_type.iface.is_host = never_host;
}

// --- the library -------------------------------------------------------------

const char* registry_name(ggml_backend_reg_t) { return "Limited"; }

std::size_t device_count(ggml_backend_reg_t) { return static_cast<std::size_t>(library().count); }

ggml_backend_dev_t device_at(ggml_backend_reg_t, std::size_t index) {
  return &library().devices.at(index).device;
}

void* address_of(ggml_backend_reg_t, const char* name) {
  return std::string_view(name) == kLimitedDevicesProc ? &library().state : nullptr;
}

std::string_view environment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

void read_fault(const char* name, LimitedFault& fault) {
  const std::string text(environment(name));
  fault.at = std::atoll(text.c_str());
  fault.once = text.ends_with('!');
}

void set_up(Library& all) {
  const std::string count(environment("INFERNODE_LIMITED_DEVICES"));
  all.count = count.empty() ? 1 : std::clamp(std::atoi(count.c_str()), 0, kMostLimitedDevices);
  std::string memory(environment("INFERNODE_LIMITED_MEMORY"));
  for (int index = 0; index < kMostLimitedDevices; ++index) {
    const auto bytes = static_cast<std::uint64_t>(std::atoll(memory.c_str()));
    all.state.memory.at(static_cast<std::size_t>(index)).limit =
        bytes == 0 ? kDefaultMemory : bytes;
    const std::size_t comma = memory.find(',');
    if (comma != std::string::npos) memory.erase(0, comma + 1);
    set_up_device(all, index);
  }
  read_fault("INFERNODE_LIMITED_COMPUTE_AT", all.state.compute);
  read_fault("INFERNODE_LIMITED_ALLOCATION_AT", all.state.allocation);
  const std::string_view manner = environment("INFERNODE_LIMITED_MANNER");
  all.state.manner = manner == "memory"   ? LimitedManner::kNoMemory
                     : manner == "throws" ? LimitedManner::kThrows
                     : manner == "aborts" ? LimitedManner::kAborts
                                          : LimitedManner::kFails;
  all.state.lying = bytes_lying;
  all.registry.api_version = GGML_BACKEND_API_VERSION;
  all.registry.iface.get_name = registry_name;
  all.registry.iface.get_device_count = device_count;
  all.registry.iface.get_device = device_at;
  all.registry.iface.get_proc_address = address_of;
}

}  // namespace

}  // namespace infernode

extern "C" __attribute__((visibility("default"))) ggml_backend_reg_t ggml_backend_init() {
  infernode::set_up(infernode::library());
  return &infernode::library().registry;
}
