#include "convert.h"

#include <ATen/core/List.h>
#include <ATen/core/jit_type.h>

namespace heartbeat {
namespace {

using c10::IValue;
using c10::TypeKind;

Kind scalarKind(const c10::Type& type) {
  switch (type.kind()) {
    case TypeKind::TensorType:
      return Kind::Tensor;
    // dtype, layout and memory format travel as integers; 2.x says SymInt where 1.13 says int.
    case TypeKind::IntType:
    case TypeKind::SymIntType:
    case TypeKind::LayoutType:
    case TypeKind::ScalarTypeType:
    case TypeKind::MemoryFormatType:
      return Kind::Int;
    case TypeKind::FloatType:
      return Kind::Float;
    case TypeKind::BoolType:
      return Kind::Bool;
    case TypeKind::StringType:
      return Kind::String;
    case TypeKind::NumberType:
      return Kind::Scalar;
    case TypeKind::DeviceObjType:
      return Kind::Device;
    case TypeKind::GeneratorType:
      return Kind::Generator;
    default:
      return Kind::Unsupported;
  }
}

Kind listKind(const c10::Type& element) {
  if (element.kind() == TypeKind::OptionalType) {
    const auto& inner = *element.castRaw<c10::OptionalType>()->getElementType();
    return scalarKind(inner) == Kind::Tensor ? Kind::OptionalTensors : Kind::Unsupported;
  }
  switch (scalarKind(element)) {
    case Kind::Tensor:
      return Kind::Tensors;
    case Kind::Int:
      return Kind::Ints;
    case Kind::Float:
      return Kind::Floats;
    case Kind::Bool:
      return Kind::Bools;
    case Kind::Scalar:
      return Kind::Scalars;
    default:
      return Kind::Unsupported;
  }
}

at::Scalar toScalar(napi_env env, napi_value value) {
  switch (typeOf(env, value)) {
    case napi_boolean:
      return toBool(env, value);
    case napi_bigint:
      return toInt(env, value);
    default:
      break;
  }
  double number = toDouble(env, value);
  bool whole = number >= -9007199254740992.0 && number <= 9007199254740992.0 &&
               number == static_cast<double>(static_cast<int64_t>(number));
  // -0 is a floating-point number only.
  if (whole && !(number == 0 && std::signbit(number))) return static_cast<int64_t>(number);
  return number;
}

bool isArray(napi_env env, napi_value value) {
  bool array = false;
  check(napi_is_array(env, value, &array), "cannot read the type of a value");
  return array;
}

template <class T, class Convert>
IValue toList(napi_env env, napi_value value, int32_t repeat, Convert convert) {
  c10::List<T> list;
  if (!isArray(env, value)) {
    if (repeat <= 0) throw std::invalid_argument("expected an array");
    for (int32_t i = 0; i < repeat; i++) list.push_back(convert(env, value));
    return list;
  }
  uint32_t length = arrayLength(env, value);
  list.reserve(length);
  for (uint32_t i = 0; i < length; i++) list.push_back(convert(env, element(env, value, i)));
  return list;
}

IValue convert(napi_env env, napi_value value, const Parameter& parameter) {
  switch (parameter.kind) {
    case Kind::Tensor:
      return toTensor(env, value);
    case Kind::Int:
      return toInt(env, value);
    case Kind::Float:
      return toDouble(env, value);
    case Kind::Bool:
      return toBool(env, value);
    case Kind::String:
      return toString(env, value);
    case Kind::Scalar:
      return toScalar(env, value);
    case Kind::Device:
      return c10::Device(toString(env, value));
    case Kind::Generator:
      return toGenerator(env, value);
    case Kind::Tensors:
      return toList<at::Tensor>(env, value, parameter.repeat,
                                [](napi_env e, napi_value v) { return toTensor(e, v); });
    case Kind::Ints:
      return toList<int64_t>(env, value, parameter.repeat, toInt);
    case Kind::Floats:
      return toList<double>(env, value, parameter.repeat, toDouble);
    case Kind::Bools:
      return toList<bool>(env, value, parameter.repeat, toBool);
    case Kind::Scalars:
      return toList<at::Scalar>(env, value, parameter.repeat, toScalar);
    case Kind::OptionalTensors: {
      c10::impl::GenericList list(c10::OptionalType::ofTensor());
      uint32_t length = arrayLength(env, value);
      for (uint32_t i = 0; i < length; i++) {
        napi_value item = element(env, value, i);
        list.push_back(isNothing(env, item) ? IValue() : IValue(toTensor(env, item)));
      }
      return list;
    }
    case Kind::Unsupported:
      break;
  }
  throw std::invalid_argument("type " + parameter.type + " has no JavaScript form");
}

}  // namespace

Parameter::Parameter(const c10::Argument& argument)
    : name(argument.name()), type(argument.type()->str()) {
  c10::TypePtr declared = argument.type();
  if (auto* maybe = declared->castRaw<c10::OptionalType>()) {
    optional = true;
    declared = maybe->getElementType();
  }
  auto* list = declared->castRaw<c10::ListType>();
  kind = list ? listKind(*list->getElementType()) : scalarKind(*declared);
  if (argument.N()) repeat = *argument.N();
  if (argument.default_value()) {
    hasDefault = true;
    fallback = *argument.default_value();
  }
}

IValue toIValue(napi_env env, napi_value value, const Parameter& parameter) {
  auto type = typeOf(env, value);
  if (type == napi_undefined && parameter.hasDefault) return parameter.fallback;
  if (type == napi_undefined || type == napi_null) {
    if (parameter.optional) return IValue();
    throw std::invalid_argument("argument '" + parameter.name + "' (" + parameter.type +
                                ") is missing");
  }
  try {
    return convert(env, value, parameter);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument("argument '" + parameter.name + "' (" + parameter.type +
                                "): " + error.what());
  }
}

napi_value fromIValue(napi_env env, const IValue& value) {
  if (value.isTensor()) return value.toTensor().defined() ? wrap(env, value.toTensor()) : null(env);
  if (value.isInt()) return fromInt(env, value.toInt());
  if (value.isDouble()) return fromDouble(env, value.toDouble());
  if (value.isBool()) return fromBool(env, value.toBool());
  if (value.isString()) return fromString(env, value.toStringRef());
  if (value.isNone()) return null(env);
  if (value.isList()) {
    return fromArray(env, value.toListRef(),
                     [&](const IValue& item) { return fromIValue(env, item); });
  }
  throw std::invalid_argument("a result of type " + value.tagKind() + " has no JavaScript form");
}

}  // namespace heartbeat
