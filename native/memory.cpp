// Every byte of CPU tensor storage is counted here, whoever holds it: a handle, a view or the
// autograd graph.
#include "rooms.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <vector>
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

struct Block {
  void* data;
  int64_t size;
};

// Blocks of a step come back at the next one: fresh pages cost the kernel more than many an
// operator costs us. Freed large blocks wait here, oldest first, as long as all memory together
// stays near the most that was ever in use at once.
class Cache {
  static constexpr int64_t kLarge = 1 << 20;
  std::mutex mutex;
  std::vector<Block> blocks;
  int64_t held = 0;
  int64_t most = 64 << 20;

  void evictTo(int64_t allowed) {
    size_t count = 0;
    while (count < blocks.size() && held > allowed) {
      held -= blocks[count].size;
      c10::free_cpu(blocks[count++].data);
    }
    blocks.erase(blocks.begin(), blocks.begin() + count);
  }

 public:
  void* take(int64_t size) {
    if (size < kLarge) return nullptr;
    std::lock_guard<std::mutex> lock(mutex);
    auto best = blocks.rend();
    for (auto block = blocks.rbegin(); block != blocks.rend(); ++block)
      if (block->size >= size && block->size <= size + size / 4 &&
          (best == blocks.rend() || block->size < best->size))
        best = block;
    if (best != blocks.rend()) {
      void* data = best->data;
      held -= best->size;
      blocks.erase(std::next(best).base());
      return data;
    }
    int64_t wanted = live + size;
    most = std::max(most, wanted);
    evictTo(std::max<int64_t>(0, most + most / 32 - wanted));
    return nullptr;
  }

  bool give(Block block) {
    if (block.size < kLarge) return false;
    std::lock_guard<std::mutex> lock(mutex);
    blocks.push_back(block);
    held += block.size;
    return true;
  }

  void clear() {
    std::lock_guard<std::mutex> lock(mutex);
    evictTo(0);
  }
};

// Never destroyed: tensors may outlive the static variables of this file.
Cache& cache = *new Cache();

void release(void* data) {
  if (!data) return;
  auto size = static_cast<int64_t>(allocatedSize(data));
  live -= size;
  if (!cache.give({data, size})) c10::free_cpu(data);
}

void* fresh(size_t size) {
  try {
    return c10::alloc_cpu(size);
  } catch (const c10::Error&) {
    cache.clear();
    return c10::alloc_cpu(size);
  }
}

class CountingAllocator final : public c10::Allocator {
  c10::DataPtr make(size_t size) const {
    void* data = cache.take(static_cast<int64_t>(size));
    if (!data) data = fresh(size);
    if (data) {
      int64_t now = live += static_cast<int64_t>(allocatedSize(data));
      int64_t before = peak;
      while (now > before && !peak.compare_exchange_weak(before, now)) {
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
  void copy_data(void* target, const void* source, std::size_t count) const override {
    std::memcpy(target, source, count);
  }
#endif
};

napi_value memory(napi_env env, napi_callback_info) {
  return guarded(env, [&] {
    return fromArray(env, std::vector<int64_t>{live, peak},
                     [&](int64_t bytes) { return fromInt(env, bytes); });
  });
}

napi_value liveBytes(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return fromInt(env, live); });
}

napi_value emptyCache(napi_env env, napi_callback_info) {
  return guarded(env, [&]() -> napi_value {
    cache.clear();
    return nullptr;
  });
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
    // The same for what libtorch's libraries allocate by themselves.
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
  defineFunction(env, exports, "emptyCache", emptyCache);
}

}  // namespace heartbeat
