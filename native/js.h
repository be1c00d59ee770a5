// The few Node-API calls we use, with failures as C++ exceptions.
#pragma once

// Finalizers of an experimental module run inside GC, so that a long synchronous loop cannot starve
// them.
#define NAPI_EXPERIMENTAL
#define NAPI_VERSION 2147483647
#include <node_api.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace heartbeat {

inline void check(napi_status status, const char* what) {
  if (status != napi_ok) throw std::invalid_argument(what);
}

/// Arguments of one call; those that are absent read as undefined.
template <size_t N>
struct Arguments {
  size_t count = N;
  napi_value values[N];
  Arguments(napi_env env, napi_callback_info info) {
    check(napi_get_cb_info(env, info, &count, values, nullptr, nullptr), "cannot read arguments");
    if (count > N)
      throw std::invalid_argument("expected at most " + std::to_string(N) + " arguments, got " +
                                  std::to_string(count));
  }
  napi_value operator[](size_t index) const { return values[index]; }
};

inline napi_valuetype typeOf(napi_env env, napi_value value) {
  napi_valuetype type;
  check(napi_typeof(env, value, &type), "cannot read the type of a value");
  return type;
}

inline bool isNothing(napi_env env, napi_value value) {
  auto type = typeOf(env, value);
  return type == napi_undefined || type == napi_null;
}

inline std::string toString(napi_env env, napi_value value) {
  size_t length = 0;
  check(napi_get_value_string_utf8(env, value, nullptr, 0, &length), "expected a string");
  std::string text(length, '\0');
  check(napi_get_value_string_utf8(env, value, text.data(), length + 1, &length),
        "expected a string");
  return text;
}

inline double toDouble(napi_env env, napi_value value) {
  double number = 0;
  check(napi_get_value_double(env, value, &number), "expected a number");
  return number;
}

inline bool toBool(napi_env env, napi_value value) {
  bool flag = false;
  check(napi_get_value_bool(env, value, &flag), "expected a boolean");
  return flag;
}

/// A number without a fraction, or a bigint.
inline int64_t toInt(napi_env env, napi_value value) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) == napi_ok) {
    if (!(number >= -9007199254740992.0 && number <= 9007199254740992.0) ||
        number != static_cast<double>(static_cast<int64_t>(number)))
      throw std::invalid_argument("expected an integer, got " + std::to_string(number));
    return static_cast<int64_t>(number);
  }
  int64_t integer = 0;
  bool lossless = false;
  check(napi_get_value_bigint_int64(env, value, &integer, &lossless), "expected an integer");
  if (!lossless) throw std::invalid_argument("expected an integer of 64 bits");
  return integer;
}

inline uint32_t arrayLength(napi_env env, napi_value value) {
  uint32_t length = 0;
  check(napi_get_array_length(env, value, &length), "expected an array");
  return length;
}

inline napi_value element(napi_env env, napi_value array, uint32_t index) {
  napi_value value;
  check(napi_get_element(env, array, index, &value), "cannot read an array");
  return value;
}

inline std::vector<int64_t> toInts(napi_env env, napi_value array) {
  std::vector<int64_t> integers(arrayLength(env, array));
  for (uint32_t i = 0; i < integers.size(); i++) integers[i] = toInt(env, element(env, array, i));
  return integers;
}

inline napi_value fromString(napi_env env, const std::string& text) {
  napi_value value;
  check(napi_create_string_utf8(env, text.data(), text.size(), &value), "cannot make a string");
  return value;
}

inline napi_value fromDouble(napi_env env, double number) {
  napi_value value;
  check(napi_create_double(env, number, &value), "cannot make a number");
  return value;
}

/// A number; a bigint where a number would round.
inline napi_value fromInt(napi_env env, int64_t integer) {
  constexpr int64_t safe = 9007199254740991;
  napi_value value;
  if (integer >= -safe && integer <= safe) return fromDouble(env, static_cast<double>(integer));
  check(napi_create_bigint_int64(env, integer, &value), "cannot make a bigint");
  return value;
}

inline napi_value fromBool(napi_env env, bool flag) {
  napi_value value;
  check(napi_get_boolean(env, flag, &value), "cannot make a boolean");
  return value;
}

inline napi_value null(napi_env env) {
  napi_value value;
  check(napi_get_null(env, &value), "cannot make null");
  return value;
}

template <class Items, class Convert>
napi_value fromArray(napi_env env, const Items& items, Convert convert) {
  napi_value array;
  check(napi_create_array_with_length(env, items.size(), &array), "cannot make an array");
  uint32_t index = 0;
  for (const auto& item : items)
    check(napi_set_element(env, array, index++, convert(item)), "cannot fill an array");
  return array;
}

/// The bytes under a typed array; valid until the call returns.
struct Bytes {
  uint8_t* data;
  size_t length;
};
Bytes toBytes(napi_env env, napi_value typedArray);

/// Message of the exception in flight, as one line.
std::string currentMessage();

/// Runs `body`, turning C++ exceptions into a JavaScript Error.
template <class Body>
napi_value guarded(napi_env env, Body body) {
  try {
    return body();
  } catch (...) {
    napi_throw_error(env, nullptr, currentMessage().c_str());
    return nullptr;
  }
}

void defineFunction(napi_env env, napi_value exports, const char* name, napi_callback callback);

}  // namespace heartbeat
