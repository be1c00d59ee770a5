// Every byte of CPU tensor storage is counted here, whoever holds it: a handle, a view or the autograd graph.
#include "rooms.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <atomic>
#include <cstring>
#if defined(__APPLE__)
#include <malloc/malloc.h>
#define allocatedSize malloc_size
#else
#include <malloc.h>
#define allocatedSize malloc_usable_size
#endif

namespace heartbeat {
namespace {

std::atomic<int64_t> live{0}, peak{0};

void release(void* data) {
  if (!data) return;
  live -= static_cast<int64_t>(allocatedSize(data));
  c10::free_cpu(data);
}

class CountingAllocator final : public c10::Allocator {
  c10::DataPtr make(size_t size) const {
    void* data = c10::alloc_cpu(size);
    if (data) {
      int64_t now = live += static_cast<int64_t>(allocatedSize(data));
      int64_t most = peak;
      while (now > most && !peak.compare_exchange_weak(most, now)) {
      }
    }
    return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
  }

 public:
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
#ifdef HEARTBEAT_LIBTORCH_1
  c10::DataPtr allocate(size_t size) const override { return make(size); }
#else
  c10::DataPtr allocate(size_t size) override { return make(size); }
  void copy_data(void* target, const void* source, std::size_t count) const override { std::memcpy(target, source, count); }
#endif
};

napi_value memory(napi_env env, napi_callback_info) {
  return guarded(env, [&] {
    return fromArray(env, std::vector<int64_t>{live, peak}, [&](int64_t bytes) { return fromInt(env, bytes); });
  });
}

napi_value liveBytes(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return fromInt(env, live); });
}

napi_value resetPeak(napi_env env, napi_callback_info) {
  return guarded(env, [&]() -> napi_value {
    peak = live.load();
    return nullptr;
  });
}

}  // namespace

void defineMemory(napi_env env, napi_value exports) {
  static bool installed = [] {
#if defined(__GLIBC__)
    // Large temporaries come back at every step: keep them instead of faulting their pages in again.
    mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024);
    mallopt(M_TRIM_THRESHOLD, 512 * 1024 * 1024);
#endif
    c10::SetCPUAllocator(new CountingAllocator(), 1);
    return true;
  }();
  (void)installed;
  defineFunction(env, exports, "memory", memory);
  defineFunction(env, exports, "liveBytes", liveBytes);
  defineFunction(env, exports, "resetPeak", resetPeak);
}

}  // namespace heartbeat
