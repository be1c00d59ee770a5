// JavaScript values to and from the values of a boxed call, as an operator's own schema asks.
#pragma once

#include "handle.h"

#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>

namespace heartbeat {

enum class Kind : uint8_t {
  Tensor,
  Int,
  Float,
  Bool,
  String,
  Scalar,
  Device,
  Generator,
  Tensors,
  OptionalTensors,
  Ints,
  Floats,
  Bools,
  Scalars,
  Unsupported
};

/// One argument of a schema, read once.
struct Parameter {
  explicit Parameter(const c10::Argument& argument);
  std::string name;
  std::string type;
  Kind kind;
  bool optional = false;
  bool hasDefault = false;
  int32_t repeat = 0;  // int[2] takes one integer for both
  c10::IValue fallback;
};

/// Undefined is the schema's default; null is None. Throws std::invalid_argument that names the
/// parameter.
c10::IValue toIValue(napi_env env, napi_value value, const Parameter& parameter);

napi_value fromIValue(napi_env env, const c10::IValue& value);

}  // namespace heartbeat
