// One boxed call for every operator of the loaded libtorch.
#include "convert.h"
#include "rooms.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <deque>
#include <mutex>
#include <sstream>

namespace heartbeat {
namespace {

constexpr size_t kMostArguments = 32;

struct Operator {
  c10::OperatorHandle handle;
  std::vector<Parameter> parameters;
  std::vector<bool> discarded;  // an in-place operator gives back its own argument, which the
                                // caller already holds
};

std::deque<Operator> operators;  // grows only; its elements never move
std::mutex registering;

// operator(name, overload): the index that `call` takes, or -1 where this libtorch has no such
// operator.
napi_value findOperator(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<2> arguments(env, info);
    auto found = c10::Dispatcher::singleton().findSchema(
        {toString(env, arguments[0]), toString(env, arguments[1])});
    if (!found) return fromInt(env, -1);
    Operator entry{*found, {}, {}};
    for (const auto& argument : found->schema().arguments())
      entry.parameters.emplace_back(argument);
    if (entry.parameters.size() >= kMostArguments)
      throw std::invalid_argument("the operator has too many arguments");
    for (const auto& result : found->schema().returns())
      entry.discarded.push_back(result.alias_info() && result.alias_info()->isWrite());
    std::lock_guard<std::mutex> lock(registering);
    operators.push_back(std::move(entry));
    return fromInt(env, static_cast<int64_t>(operators.size()) - 1);
  });
}

// call(index, ...arguments): one result, an array of several, or undefined.
napi_value call(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<kMostArguments> arguments(env, info);
    auto index = toInt(env, arguments[0]);
    if (index < 0 || index >= static_cast<int64_t>(operators.size()))
      throw std::invalid_argument("no such operator");
    const Operator& entry = operators[index];
    if (arguments.count - 1 > entry.parameters.size())
      throw std::invalid_argument("expected at most " + std::to_string(entry.parameters.size()) +
                                  " arguments, got " + std::to_string(arguments.count - 1));
    torch::jit::Stack stack;
    stack.reserve(std::max(entry.parameters.size(), entry.discarded.size()));
    for (size_t i = 0; i < entry.parameters.size(); i++)
      stack.push_back(toIValue(env, arguments[i + 1], entry.parameters[i]));
    entry.handle.callBoxed(&stack);
    if (stack.size() == 1 && entry.discarded.size() == 1)
      return entry.discarded[0] ? nullptr : fromIValue(env, stack[0]);
    if (stack.empty()) return nullptr;
    return fromArray(env, stack, [&](const c10::IValue& value) { return fromIValue(env, value); });
  });
}

// schema(name, overload): the schema as text, or null.
napi_value schema(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<2> arguments(env, info);
    auto found = c10::Dispatcher::singleton().findSchema(
        {toString(env, arguments[0]), toString(env, arguments[1])});
    if (!found) return null(env);
    std::ostringstream text;
    text << found->schema();
    return fromString(env, text.str());
  });
}

napi_value schemas(napi_env env, napi_callback_info) {
  return guarded(env, [&] {
    auto& dispatcher = c10::Dispatcher::singleton();
    std::vector<std::string> texts;
    for (const auto& name : dispatcher.getAllOpNames()) {
      auto found = dispatcher.findSchema(name);
      if (!found) continue;
      std::ostringstream text;
      text << found->schema();
      texts.push_back(text.str());
    }
    return fromArray(env, texts, [&](const std::string& text) { return fromString(env, text); });
  });
}

}  // namespace

void defineDispatch(napi_env env, napi_value exports) {
  defineFunction(env, exports, "operator", findOperator);
  defineFunction(env, exports, "call", call);
  defineFunction(env, exports, "schema", schema);
  defineFunction(env, exports, "schemas", schemas);
}

}  // namespace heartbeat
