#include "rooms.h"

namespace heartbeat {

void defineFunction(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  check(napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function),
        "cannot make a function");
  check(napi_set_named_property(env, exports, name, function), "cannot export a function");
}

}  // namespace heartbeat

NAPI_MODULE_INIT() {
  return heartbeat::guarded(env, [&] {
    heartbeat::defineMemory(env, exports);
    heartbeat::defineTensors(env, exports);
    heartbeat::defineDispatch(env, exports);
    heartbeat::defineRuntime(env, exports);
    return exports;
  });
}
