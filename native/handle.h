// A tensor or a generator as JavaScript holds it: an External that owns one reference.
#pragma once

#include "js.h"

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

namespace heartbeat {

napi_value wrap(napi_env env, at::Tensor tensor);
napi_value wrap(napi_env env, at::Generator generator);

/// The tensor under a handle; throws when the value is no tensor or was disposed.
const at::Tensor& toTensor(napi_env env, napi_value value);
const at::Generator& toGenerator(napi_env env, napi_value value);

void defineHandles(napi_env env, napi_value exports);

}  // namespace heartbeat
