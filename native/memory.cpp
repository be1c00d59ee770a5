// Every byte of CPU tensor storage is counted here, whoever holds it: a handle, a view or the
// autograd graph.
#include "rooms.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

#include <sys/mman.h>
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

// Large blocks live outside malloc's heap, where the small objects that wait for JavaScript's
// collector would pin every page around them. Freed ranges are joined with their neighbours and
// wait here for the next step: fresh pages cost the kernel more than many an operator costs us.
// What waits and what is in use stay near the most that was ever in use at once.
class LargeBlocks {
  using Ranges = std::map<char*, int64_t>;
  static constexpr int64_t kPage = 64 * 1024;  // a multiple of every system's page
  std::mutex mutex;
  std::unordered_map<char*, int64_t> used;
  Ranges free;
  std::set<std::pair<int64_t, char*>> bySize;  // the same
  int64_t held = 0;                            // sum of them
  int64_t most = 64 << 20;

  void add(char* data, int64_t size) {
    free[data] = size;
    bySize.insert({size, data});
    held += size;
  }

  void remove(Ranges::iterator range) {
    held -= range->second;
    bySize.erase({range->second, range->first});
    free.erase(range);
  }

  // Small ranges go first: they are what nothing fits.
  void evictTo(int64_t allowed) {
    while (held > allowed && !free.empty()) {
      auto [size, data] = *bySize.begin();
      int64_t excess = std::min(size, (held - allowed + kPage - 1) / kPage * kPage);
      remove(free.find(data));
      munmap(data + size - excess, excess);
      if (size > excess) add(data, size - excess);
    }
  }

  // Pages of the largest range that waits, moved where there is room for the rest; else new ones.
  char* grow(int64_t size) {
#if defined(__linux__)
    if (!free.empty()) {
      auto [length, data] = *bySize.rbegin();
      void* moved = mremap(data, length, size, MREMAP_MAYMOVE);
      if (moved != MAP_FAILED) {
        remove(free.find(data));
        return static_cast<char*>(moved);
      }
    }
#endif
    void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return data == MAP_FAILED ? nullptr : static_cast<char*>(data);
  }

 public:
  static constexpr int64_t kLeast = 256 * 1024;

  // A block of at least `size` bytes; {nullptr, 0} where the system has none.
  Block take(int64_t size) {
    std::lock_guard<std::mutex> lock(mutex);
    size = (size + kPage - 1) / kPage * kPage;
    most = std::max(most, live + size);
    auto best = bySize.lower_bound({size, nullptr});
    char* data = nullptr;
    if (best != bySize.end()) {
      auto [length, start] = *best;
      data = start;
      remove(free.find(start));
      if (length > size) add(start + size, length - size);
    } else {
      data = grow(size);
      evictTo(std::max<int64_t>(0, most + most / 16 - live - size));
      if (!data) data = grow(size);
      if (!data) return {nullptr, 0};
    }
    used[data] = size;
    return {data, size};
  }

  // Takes a block back; the bytes it had, or 0 where it is none of these.
  int64_t give(void* block) {
    if (reinterpret_cast<uintptr_t>(block) % 4096 != 0) return 0;
    std::lock_guard<std::mutex> lock(mutex);
    auto found = used.find(static_cast<char*>(block));
    if (found == used.end()) return 0;
    char* data = found->first;
    int64_t size = found->second, given = size;
    used.erase(found);
    auto after = free.lower_bound(data);
    if (after != free.begin()) {
      auto before = std::prev(after);
      if (before->first + before->second == data) {
        data = before->first;
        size += before->second;
        remove(before);
      }
    }
    if (after != free.end() && after->first == data + size) {
      size += after->second;
      remove(after);
    }
    add(data, size);
    return given;
  }

  void clear() {
    std::lock_guard<std::mutex> lock(mutex);
    evictTo(0);
  }
};

// Never destroyed: tensors may outlive the static variables of this file.
LargeBlocks& large = *new LargeBlocks();

void release(void* data) {
  if (!data) return;
  int64_t size = large.give(data);
  if (size == 0) {
    size = static_cast<int64_t>(allocatedSize(data));
    c10::free_cpu(data);
  }
  live -= size;
}

Block allocate(int64_t size) {
  if (size >= LargeBlocks::kLeast) {
    Block block = large.take(size);
    if (block.data) return block;
  }
  // Says so itself where there is no memory.
  void* data = c10::alloc_cpu(size);
  return {data, data ? static_cast<int64_t>(allocatedSize(data)) : 0};
}

class CountingAllocator final : public c10::Allocator {
  c10::DataPtr make(size_t size) const {
    auto [data, taken] = heartbeat::allocate(static_cast<int64_t>(size));
    if (data) {
      int64_t now = live += taken;
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
    large.clear();
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
