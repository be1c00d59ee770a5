#include "handle.h"

#include <atomic>

namespace heartbeat {
namespace {

constexpr uint32_t kTensor = 0x54454e53, kGenerator = 0x47454e52;

// V8 sees a handle as this many bytes: enough that it collects dropped handles in time. Ten times
// more made it collect at every few hundred; real sizes, at every step.
constexpr int64_t kToken = 4 * 1024;

struct Handle {
  uint32_t kind;
  bool released = false;
  at::Tensor tensor;
  at::Generator generator;
};

std::atomic<int64_t> live{0};

void release(napi_env env, Handle* handle) {
  if (handle->released) return;
  handle->released = true;
  if (handle->kind == kTensor) live--;
  handle->tensor.reset();
  handle->generator = at::Generator();
  int64_t total;
  napi_adjust_external_memory(env, -kToken, &total);
}

void finalize(napi_env env, void* data, void*) {
  auto* handle = static_cast<Handle*>(data);
  release(env, handle);
  delete handle;
}

napi_value external(napi_env env, Handle* handle) {
  napi_value value;
  if (napi_create_external(env, handle, finalize, nullptr, &value) != napi_ok) {
    delete handle;
    throw std::runtime_error("cannot make a handle");
  }
  if (handle->kind == kTensor) live++;
  int64_t total;
  napi_adjust_external_memory(env, kToken, &total);
  return value;
}

Handle* unwrap(napi_env env, napi_value value, uint32_t kind, const char* what) {
  void* data = nullptr;
  if (typeOf(env, value) == napi_external) napi_get_value_external(env, value, &data);
  auto* handle = static_cast<Handle*>(data);
  if (!handle || handle->kind != kind)
    throw std::invalid_argument(std::string("expected a ") + what);
  return handle;
}

napi_value dispose(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<1> arguments(env, info);
    release(env, unwrap(env, arguments[0], kTensor, "tensor"));
    return nullptr;
  });
}

napi_value liveTensors(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return fromInt(env, live); });
}

}  // namespace

napi_value wrap(napi_env env, at::Tensor tensor) {
  return external(env, new Handle{kTensor, false, std::move(tensor), {}});
}

napi_value wrap(napi_env env, at::Generator generator) {
  return external(env, new Handle{kGenerator, false, {}, std::move(generator)});
}

const at::Tensor& toTensor(napi_env env, napi_value value) {
  auto* handle = unwrap(env, value, kTensor, "tensor");
  if (handle->released) throw std::invalid_argument("the tensor was disposed");
  return handle->tensor;
}

const at::Generator& toGenerator(napi_env env, napi_value value) {
  return unwrap(env, value, kGenerator, "generator")->generator;
}

void defineHandles(napi_env env, napi_value exports) {
  defineFunction(env, exports, "dispose", dispose);
  defineFunction(env, exports, "liveTensors", liveTensors);
}

}  // namespace heartbeat
