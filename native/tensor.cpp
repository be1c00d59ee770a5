// What a boxed call cannot say about a tensor: its metadata, its bytes and its gradient.
#include "handle.h"
#include "rooms.h"

#include <c10/core/GradMode.h>

#include <cstring>

namespace heartbeat {
namespace {

napi_value shape(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<1> arguments(env, info);
    return fromArray(env, toTensor(env, arguments[0]).sizes(),
                     [&](int64_t size) { return fromInt(env, size); });
  });
}

napi_value strides(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<1> arguments(env, info);
    return fromArray(env, toTensor(env, arguments[0]).strides(),
                     [&](int64_t stride) { return fromInt(env, stride); });
  });
}

napi_value scalarType(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<1> arguments(env, info);
    return fromInt(env, static_cast<int64_t>(toTensor(env, arguments[0]).scalar_type()));
  });
}

napi_value device(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<1> arguments(env, info);
    return fromString(env, toTensor(env, arguments[0]).device().str());
  });
}

napi_value requiresGrad(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<1> arguments(env, info);
    return fromBool(env, toTensor(env, arguments[0]).requires_grad());
  });
}

napi_value setRequiresGrad(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<2> arguments(env, info);
    toTensor(env, arguments[0]).set_requires_grad(toBool(env, arguments[1]));
    return nullptr;
  });
}

napi_value isLeaf(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<1> arguments(env, info);
    return fromBool(env, toTensor(env, arguments[0]).is_leaf());
  });
}

napi_value grad(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<1> arguments(env, info);
    const auto& gradient = toTensor(env, arguments[0]).grad();
    return gradient.defined() ? wrap(env, gradient) : null(env);
  });
}

napi_value setGrad(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<2> arguments(env, info);
    const auto& tensor = toTensor(env, arguments[0]);
    if (isNothing(env, arguments[1])) {
      tensor.mutable_grad().reset();
      return nullptr;
    }
    const auto& gradient = toTensor(env, arguments[1]);
    if (gradient.sizes() != tensor.sizes())
      throw std::invalid_argument("a gradient has the shape of its tensor");
    tensor.mutable_grad() = gradient;
    return nullptr;
  });
}

// backward(tensor, gradient | null, inputs | null, retainGraph, createGraph)
napi_value backward(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<5> arguments(env, info);
    at::Tensor root = toTensor(env, arguments[0]), gradient;
    if (!isNothing(env, arguments[1])) gradient = toTensor(env, arguments[1]);
    bool retain = toBool(env, arguments[3]), create = toBool(env, arguments[4]);
    if (isNothing(env, arguments[2])) {
      root.backward(gradient, retain, create);
      return nullptr;
    }
    std::vector<at::Tensor> inputs;
    for (uint32_t i = 0; i < arrayLength(env, arguments[2]); i++)
      inputs.push_back(toTensor(env, element(env, arguments[2], i)));
    root.backward(gradient, retain, create, at::TensorList(inputs));
    return nullptr;
  });
}

napi_value gradMode(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return fromBool(env, c10::GradMode::is_enabled()); });
}

napi_value setGradMode(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<1> arguments(env, info);
    c10::GradMode::set_enabled(toBool(env, arguments[0]));
    return nullptr;
  });
}

// The first byte of `length` bytes at `offset` of a contiguous CPU tensor.
uint8_t* bytesAt(const at::Tensor& tensor, int64_t offset, size_t length) {
  if (!tensor.device().is_cpu() || !tensor.is_contiguous())
    throw std::invalid_argument("bytes are read and written in contiguous CPU tensors only");
  if (offset < 0 || static_cast<uint64_t>(offset) + length > tensor.nbytes())
    throw std::invalid_argument("bytes " + std::to_string(offset) + ".." +
                                std::to_string(offset + length) + " lie outside a tensor of " +
                                std::to_string(tensor.nbytes()) + " bytes");
  return static_cast<uint8_t*>(tensor.data_ptr()) + offset;
}

// readBytes(tensor, offset, typedArray) fills the array.
napi_value readBytes(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<3> arguments(env, info);
    Bytes bytes = toBytes(env, arguments[2]);
    const uint8_t* source =
        bytesAt(toTensor(env, arguments[0]), toInt(env, arguments[1]), bytes.length);
    if (bytes.length) std::memcpy(bytes.data, source, bytes.length);
    return nullptr;
  });
}

// writeBytes(tensor, offset, typedArray) fills the tensor.
napi_value writeBytes(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<3> arguments(env, info);
    Bytes bytes = toBytes(env, arguments[2]);
    uint8_t* target = bytesAt(toTensor(env, arguments[0]), toInt(env, arguments[1]), bytes.length);
    if (bytes.length) std::memcpy(target, bytes.data, bytes.length);
    return nullptr;
  });
}

}  // namespace

Bytes toBytes(napi_env env, napi_value typedArray) {
  bool isTyped = false;
  check(napi_is_typedarray(env, typedArray, &isTyped), "expected a typed array");
  if (!isTyped) throw std::invalid_argument("expected a typed array");
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  check(napi_get_typedarray_info(env, typedArray, &type, &length, &data, nullptr, nullptr),
        "expected a typed array");
  static const size_t sizes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 2};
  if (static_cast<size_t>(type) >= sizeof(sizes) / sizeof(sizes[0]))
    throw std::invalid_argument("an unknown typed array");
  return {static_cast<uint8_t*>(data), length * sizes[type]};
}

void defineTensors(napi_env env, napi_value exports) {
  defineHandles(env, exports);
  defineFunction(env, exports, "shape", shape);
  defineFunction(env, exports, "strides", strides);
  defineFunction(env, exports, "scalarType", scalarType);
  defineFunction(env, exports, "device", device);
  defineFunction(env, exports, "requiresGrad", requiresGrad);
  defineFunction(env, exports, "setRequiresGrad", setRequiresGrad);
  defineFunction(env, exports, "isLeaf", isLeaf);
  defineFunction(env, exports, "grad", grad);
  defineFunction(env, exports, "setGrad", setGrad);
  defineFunction(env, exports, "backward", backward);
  defineFunction(env, exports, "gradMode", gradMode);
  defineFunction(env, exports, "setGradMode", setGradMode);
  defineFunction(env, exports, "readBytes", readBytes);
  defineFunction(env, exports, "writeBytes", writeBytes);
}

}  // namespace heartbeat
