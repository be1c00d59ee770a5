// What each file of the addon exports to JavaScript.
#pragma once

#include "js.h"

namespace heartbeat {

void defineDispatch(napi_env env, napi_value exports);
void defineTensors(napi_env env, napi_value exports);
void defineRuntime(napi_env env, napi_value exports);
void defineMemory(napi_env env, napi_value exports);

}  // namespace heartbeat
