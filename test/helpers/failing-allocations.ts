// Allocations of the addon that fail in a Node process: an operator new, loaded before any other,
// that throws where the addon itself calls it on a thread that armed it. The same library is an
// addon with which the program arms it.
import { fileURLToPath } from "node:url";
import { compile } from "./native-folder.js";

const headers = fileURLToPath(new URL("../../node_modules/node-api-headers/include", import.meta.url));

const source = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <node_api.h>
#include <stdlib.h>
#include <string.h>

extern void throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv");
static _Thread_local int64_t left = -1, failing, failed;

/* Whether the addon allocates: itself, or by a function of libstdc++. */
static __attribute__((noinline)) int addon_allocates(void) {
  void* frames[8];
  const int count = backtrace(frames, 8);
  for (int i = 0; i < count; ++i) {
    Dl_info info;
    if (!dladdr(frames[i], &info)) return 0;
    if (strstr(info.dli_fname, "failing-allocations")) continue;
    if (strstr(info.dli_fname, "infernode.node")) return 1;
    if (!strstr(info.dli_fname, "libstdc++")) return 0;
  }
  return 0;
}

static __attribute__((noinline)) int fails(void) {
  if (left < 0 || !addon_allocates()) return 0;
  if (left > 0) return --left, 0;
  ++failed;
  if (--failing <= 0) left = -1;
  return 1;
}

void* operator_new(size_t) __asm__("_Znwm");
void* operator_new(size_t size) {
  if (fails()) throw_bad_alloc();
  void* memory = malloc(size > 0 ? size : 1);
  if (memory == NULL) throw_bad_alloc();
  return memory;
}

/* failAllocations(at, failing): after "at" more, "failing" in a row fail. Returns how many have
   failed since the last call. */
static napi_value arm(napi_env env, napi_callback_info info) {
  napi_value args[2], before;
  size_t count = 2;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  napi_create_int64(env, failed, &before);
  failed = 0;
  napi_get_value_int64(env, args[1], &failing);
  napi_get_value_int64(env, args[0], &left);
  return before;
}

napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  napi_value function;
  napi_create_function(env, "failAllocations", NAPI_AUTO_LENGTH, arm, NULL, &function);
  return function;
}
`;

/** The environment of a Node process whose programs can make allocations fail. */
export function failingAllocations(folder: string): Readonly<Record<string, string>> {
  const library = compile(folder, "failing-allocations.so", source, [`-I${headers}`, "-fexceptions", "-O1"]);
  return { LD_PRELOAD: library, INFERNODE_FAILING_ALLOCATIONS: library };
}
