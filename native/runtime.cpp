// Generators, devices and threads.
#include "handle.h"
#include "rooms.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <dlfcn.h>

#include <mutex>

namespace heartbeat {
namespace {

uint64_t toSeed(napi_env env, napi_value value) {
  if (typeOf(env, value) != napi_bigint) return static_cast<uint64_t>(toInt(env, value));
  uint64_t seed = 0;
  bool lossless = false;
  check(napi_get_value_bigint_uint64(env, value, &seed, &lossless), "expected a seed");
  return seed;
}

// A device type without an index means its first device.
c10::Device toDevice(napi_env env, napi_value value) {
  c10::Device device(toString(env, value));
  return device.is_cpu() || device.has_index() ? device : c10::Device(device.type(), 0);
}

// generator(device, seed): a stream of its own, independent of libtorch's default one.
napi_value makeGenerator(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<2> arguments(env, info);
    at::Generator generator =
        at::globalContext().defaultGenerator(toDevice(env, arguments[0])).clone();
    generator.set_current_seed(toSeed(env, arguments[1]));
    return wrap(env, generator);
  });
}

napi_value seedDefault(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<2> arguments(env, info);
    at::Generator generator = at::globalContext().defaultGenerator(toDevice(env, arguments[0]));
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_current_seed(toSeed(env, arguments[1]));
    return nullptr;
  });
}

napi_value generatorState(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<1> arguments(env, info);
    return wrap(env, toGenerator(env, arguments[0]).get_state());
  });
}

napi_value setGeneratorState(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<2> arguments(env, info);
    at::Generator generator = toGenerator(env, arguments[0]);
    generator.set_state(toTensor(env, arguments[1]));
    return nullptr;
  });
}

// load(path): a library that registers more kernels, such as the CUDA half of libtorch.
napi_value load(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<1> arguments(env, info);
    if (!dlopen(toString(env, arguments[0]).c_str(), RTLD_NOW | RTLD_GLOBAL))
      throw std::runtime_error(dlerror());
    return nullptr;
  });
}

// deviceCount('cuda'): 0 where this libtorch has no such device.
napi_value deviceCount(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<1> arguments(env, info);
    auto type = c10::Device(toString(env, arguments[0])).type();
    if (!c10::impl::hasDeviceGuardImpl(type)) return fromInt(env, 0);
    return fromInt(env, c10::impl::getDeviceGuardImpl(type)->deviceCount());
  });
}

// Waits until everything asked of the device is done.
napi_value synchronize(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<1> arguments(env, info);
    auto device = toDevice(env, arguments[0]);
    if (!device.is_cpu())
      c10::impl::getDeviceGuardImpl(device.type())->getStream(device).synchronize();
    return nullptr;
  });
}

napi_value threads(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return fromInt(env, at::get_num_threads()); });
}

napi_value setThreads(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<1> arguments(env, info);
    auto count = toInt(env, arguments[0]);
    if (count < 1 || count > 4096)
      throw std::invalid_argument("expected 1 to 4096 threads, got " + std::to_string(count));
    at::set_num_threads(static_cast<int>(count));
    return nullptr;
  });
}

napi_value configuration(napi_env env, napi_callback_info) {
  return guarded(
      env, [&] { return fromString(env, at::show_config() + "\n" + at::get_parallel_info()); });
}

// OpenBLAS built for pthreads has threads of its own, which spin for the cores that OpenMP's spin for:
// on two cores a training step takes twice as long. One pool is enough, and it is OpenMP's.
void keepOneThreadPool() {
  void* blas = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_NOLOAD);
  if (!blas) return;
  auto kind = reinterpret_cast<int (*)()>(dlsym(blas, "openblas_get_parallel"));
  auto setThreads = reinterpret_cast<void (*)(int)>(dlsym(blas, "openblas_set_num_threads"));
  constexpr int kPthreads = 1;
  if (kind && setThreads && kind() == kPthreads) setThreads(1);
}

}  // namespace

std::string currentMessage() {
  try {
    throw;
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an unknown error in libtorch";
  }
}

void defineRuntime(napi_env env, napi_value exports) {
  at::init_num_threads();
  keepOneThreadPool();
  defineFunction(env, exports, "generator", makeGenerator);
  defineFunction(env, exports, "seedDefault", seedDefault);
  defineFunction(env, exports, "generatorState", generatorState);
  defineFunction(env, exports, "setGeneratorState", setGeneratorState);
  defineFunction(env, exports, "load", load);
  defineFunction(env, exports, "deviceCount", deviceCount);
  defineFunction(env, exports, "synchronize", synchronize);
  defineFunction(env, exports, "threads", threads);
  defineFunction(env, exports, "setThreads", setThreads);
  defineFunction(env, exports, "configuration", configuration);
}

}  // namespace heartbeat
