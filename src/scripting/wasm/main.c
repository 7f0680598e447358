/*
 * Lua 5.1 as Redis has it, for the host in engine.ts. The host boots the module once, loads a script
 * and keeps a copy of the memory; before each run it puts the copy back, so that no run can tell
 * what ran before it.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "lauxlib.h"
#include "lua.h"
#include "redis_api.h"
#include "values.h"

/* Instructions between two looks at the budget. */
#define INSTRUCTIONS_PER_LOOK 256

#define SCRIPT "balsa.script"
#define FUNCTIONS "balsa.functions"
#define GLOBALS "balsa.globals"
#define LIBRARY_GLOBALS "balsa.library_globals"

static lua_State *state;
/* The run under way, or the last one, has used up its budget. */
static int is_exhausted;

static void end_budget(void) {
  is_exhausted = budget < 0;
  /* For what is left to do: to tell what came of it. */
  if (is_exhausted) budget = BUDGET_GRACE;
}

EXPORT(is_exhausted) int was_exhausted(void) { return is_exhausted; }

static void *allocate(void *unused, void *block, size_t old, size_t size) {
  (void)unused;
  (void)old;
  if (size > 0) return realloc(block, size);
  free(block);
  return NULL;
}

void spend(lua_State *L, size_t units) {
  budget -= units;
  if (budget < 0) luaL_error(L, "the script was stopped");
}

static void look_at_budget(lua_State *L, lua_Debug *unused) {
  (void)unused;
  budget -= INSTRUCTIONS_PER_LOOK;
  if (budget >= 0) return;
  /* From now on at each line, so that no pcall of the script goes on for ever. */
  lua_sethook(L, look_at_budget, LUA_MASKLINE | LUA_MASKCOUNT, INSTRUCTIONS_PER_LOOK);
  push_error(L, "the script was stopped");
  lua_error(L);
}

typedef struct {
  int (*f)(lua_State *, void *);
  void *argument;
  int result;
} Call;

static int call_protected(lua_State *L) {
  Call *call = lua_touserdata(L, 1);
  lua_settop(L, 0);
  call->result = call->f(L, call->argument);
  return 0;
}

/* What `f` returns; -1, and its message in the exchange buffer, when it raises an error. */
static int protect(int (*f)(lua_State *, void *), void *argument) {
  Call call = {f, argument, 0};
  lua_settop(state, 0);
  if (lua_cpcall(state, call_protected, &call) == 0) return call.result;
  const char *text = lua_tostring(state, -1);
  exchange_used = 0;
  if (text == NULL) text = "unknown error";
  end_budget();
  if (exchange_room(strlen(text) + 5) != NULL) put_bytes(state, '-', text, strlen(text));
  return -1;
}

void __wasm_call_ctors(void);

/* Before all others. */
EXPORT(_initialize) void initialize(void) { __wasm_call_ctors(); }

/* --- boot ------------------------------------------------------------------------------------- */

typedef struct {
  int is_for_functions;
  int version_number;
} Boot;

static int register_function(lua_State *L);

static void boot_functions(lua_State *L, const char *version, int version_number) {
  lua_newtable(L);
  push_library_api(L, register_function, version, version_number);
  protect_reads(L);
  lua_setfield(L, -2, "redis");
  protect_reads(L);
  protect_writes(L);
  lua_setfield(L, LUA_REGISTRYINDEX, LIBRARY_GLOBALS);
  lua_newtable(L);
  lua_setfield(L, LUA_REGISTRYINDEX, FUNCTIONS);
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  protect_reads(L);
  protect_writes(L);
  lua_setfield(L, LUA_REGISTRYINDEX, GLOBALS);
  /* What a script sees as its globals is an empty table in front of them. */
  lua_newtable(L);
  lua_newtable(L);
  lua_getfield(L, LUA_REGISTRYINDEX, GLOBALS);
  lua_setfield(L, -2, "__index");
  lua_enablereadonlytable(L, -1, 1);
  lua_setmetatable(L, -2);
  lua_enablereadonlytable(L, -1, 1);
  lua_replace(L, LUA_GLOBALSINDEX);
}

static int boot_protected(lua_State *L, void *argument) {
  const Boot *boot = argument;
  open_api(L, exchange, boot->version_number);
  if (boot->is_for_functions) {
    boot_functions(L, exchange, boot->version_number);
  } else {
    open_eval_api(L);
    lua_pushcfunction(L, handle_error);
    lua_setglobal(L, "__redis__err__handler");
    lua_pushvalue(L, LUA_GLOBALSINDEX);
    protect_reads(L);
    protect_writes(L);
    lua_pop(L, 1);
  }
  protect_basic_types(L);
  lua_gc(L, LUA_GCCOLLECT, 0);
  return 0;
}

/* Makes the state; the version is a C string in the exchange buffer. 0, or -1 and an error. */
EXPORT(boot) int boot(int is_for_functions, int version_number) {
  Boot arguments = {is_for_functions, version_number};
  state = lua_newstate(allocate, NULL);
  return protect(boot_protected, &arguments);
}

/* --- scripts ---------------------------------------------------------------------------------- */

static int load_protected(lua_State *L, void *length) {
  if (luaL_loadbuffer(L, exchange, *(size_t *)length, "@user_script") != 0) return lua_error(L);
  lua_setfield(L, LUA_REGISTRYINDEX, SCRIPT);
  return 0;
}

/* Compiles the script in the exchange buffer. 0, or -1 and an error. */
EXPORT(load) int load(size_t length) { return protect(load_protected, &length); }

typedef struct {
  int keys;
  int arguments;
} Inputs;

static const char *push_strings(lua_State *L, const char *at, int count) {
  lua_createtable(L, count, 0);
  for (int i = 1; i <= count; i++) {
    uint32_t length;
    memcpy(&length, at, 4);
    lua_pushlstring(L, at + 4, length);
    at += 4 + length;
    lua_rawseti(L, -2, i);
  }
  return at;
}

static void set_global(lua_State *L, const char *name) {
  lua_enablereadonlytable(L, LUA_GLOBALSINDEX, 0);
  lua_setglobal(L, name);
  lua_enablereadonlytable(L, LUA_GLOBALSINDEX, 1);
}

static void put_field(lua_State *L, const char *name) {
  lua_getfield(L, -1, name);
  size_t length = 0;
  const char *text = lua_tolstring(L, -1, &length);
  put_bytes(L, '$', text == NULL ? "" : text, length);
  lua_pop(L, 1);
}

/* What has failed, for the host: the message, where, and at which line. */
static void put_failure(lua_State *L) {
  exchange_used = 0;
  put_bytes(L, '!', "", 0);
  if (lua_istable(L, -1)) {
    put_field(L, "err");
    put_field(L, "source");
    put_field(L, "line");
  } else {
    size_t length = 0;
    const char *text = lua_tolstring(L, -1, &length);
    put_bytes(L, '$', text == NULL ? "" : text, length);
  }
}

/* Calls what is on the stack behind the error handler, and puts what it returns. */
static int call_script(lua_State *L, int argument_count) {
  int handler = lua_gettop(L) - argument_count - 1;
  lua_sethook(L, look_at_budget, LUA_MASKCOUNT, INSTRUCTIONS_PER_LOOK);
  run.is_running = 1;
  run.protocol = 2;
  int status = lua_pcall(L, argument_count, 1, handler);
  lua_sethook(L, NULL, 0, 0);
  run.is_running = 0;
  exchange_used = 0;
  end_budget();
  if (status == 0) put_value(L, run.protocol, 0);
  else put_failure(L);
  return status != 0;
}

static int run_protected(lua_State *L, void *argument) {
  const Inputs *inputs = argument;
  const char *at = push_strings(L, exchange, inputs->keys);
  set_global(L, "KEYS");
  push_strings(L, at, inputs->arguments);
  set_global(L, "ARGV");
  lua_pushcfunction(L, handle_error);
  lua_getfield(L, LUA_REGISTRYINDEX, SCRIPT);
  return call_script(L, 0);
}

/*
 * Runs the loaded script with the strings in the exchange buffer. 0, and what it returned is there;
 * 1, and what failed; -1, and an error.
 */
EXPORT(run) int run_script(int keys, int arguments) {
  Inputs inputs = {keys, arguments};
  return protect(run_protected, &inputs);
}

/* --- libraries of functions ------------------------------------------------------------------- */

static int is_name(const char *name, size_t length) {
  if (length == 0 || strlen(name) != length) return 0;
  for (; *name != 0; name++) if (!isalnum((unsigned char)*name) && *name != '_') return 0;
  return 1;
}

static int fail(lua_State *L, const char *text) {
  push_error(L, text);
  return lua_error(L);
}

/* The flag as it is spelt in lower case, or NULL. */
static const char *known_flag(const char *flag) {
  static const char *const flags[] = {"no-writes", "allow-oom", "allow-stale", "no-cluster",
                                      "allow-cross-slot-keys", "allow-key-locking"};
  for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
    if (strcasecmp(flags[i], flag) == 0) return flags[i];
  }
  return NULL;
}

/* Puts the flags in the table on the top of the stack behind the exchange buffer. */
static void put_flags(lua_State *L) {
  for (int i = 1;; i++) {
    lua_pushnumber(L, i);
    lua_gettable(L, -2);
    if (lua_isnil(L, -1)) break;
    const char *flag = lua_isstring(L, -1) ? known_flag(lua_tostring(L, -1)) : NULL;
    if (flag == NULL) fail(L, "unknown flag given");
    put_bytes(L, '$', flag, strlen(flag));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* Leaves name, callback, description (or nil) and flags (or nil) on the stack, from 1 on. */
static void read_named(lua_State *L) {
  if (!lua_istable(L, 1)) {
    fail(L, "calling redis.register_function with a single argument is only applicable to Lua "
            "table (representing named arguments).");
  }
  lua_settop(L, 1);
  for (int i = 0; i < 4; i++) lua_pushnil(L);
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    if (!lua_isstring(L, -2)) {
      fail(L, "named argument key given to redis.register_function is not a string");
    }
    lua_pushvalue(L, -2);
    const char *key = lua_tostring(L, -1);
    lua_pop(L, 1);
    if (strcasecmp(key, "function_name") == 0) {
      if (!lua_isstring(L, -1)) {
        fail(L, "function_name argument given to redis.register_function must be a string");
      }
      lua_replace(L, 2);
    } else if (strcasecmp(key, "description") == 0) {
      if (!lua_isstring(L, -1)) {
        fail(L, "description argument given to redis.register_function must be a string");
      }
      lua_replace(L, 4);
    } else if (strcasecmp(key, "callback") == 0) {
      if (!lua_isfunction(L, -1)) {
        fail(L, "callback argument given to redis.register_function must be a function");
      }
      lua_replace(L, 3);
    } else if (strcasecmp(key, "flags") == 0) {
      if (!lua_istable(L, -1)) {
        fail(L, "flags argument to redis.register_function must be a table representing function "
                "flags");
      }
      lua_replace(L, 5);
    } else {
      fail(L, "unknown argument given to redis.register_function");
    }
  }
  if (lua_isnil(L, 2)) fail(L, "redis.register_function must get a function name argument");
  if (lua_isnil(L, 3)) fail(L, "redis.register_function must get a callback argument");
  lua_remove(L, 1);
}

static void read_positional(lua_State *L) {
  if (!lua_isstring(L, 1)) {
    fail(L, "first argument to redis.register_function must be a string");
  }
  if (!lua_isfunction(L, 2)) {
    fail(L, "second argument to redis.register_function must be a function");
  }
  lua_settop(L, 4);
}

/* Each function that is registered is put as four values: name, description, and its flags. */
static int register_function(lua_State *L) {
  if (!run.is_loading) {
    return fail(L, "redis.register_function can only be called on FUNCTION LOAD command");
  }
  int count = lua_gettop(L);
  if (count < 1 || count > 2) {
    return fail(L, "wrong number of arguments to redis.register_function");
  }
  if (count == 1) read_named(L);
  else read_positional(L);
  size_t length;
  const char *name = lua_tolstring(L, 1, &length);
  if (!is_name(name, length)) {
    return fail(L, "Library names can only contain letters, numbers, or underscores(_) and must be "
                   "at least one character long");
  }
  lua_getfield(L, LUA_REGISTRYINDEX, FUNCTIONS);
  lua_getfield(L, -1, name);
  if (!lua_isnil(L, -1)) return fail(L, "Function already exists in the library");
  lua_pop(L, 1);
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
  put_bytes(L, '*', name, length);
  size_t description_length = 0;
  const char *description = lua_tolstring(L, 3, &description_length);
  put_bytes(L, description == NULL ? '_' : '$', description == NULL ? "" : description,
            description_length);
  if (lua_istable(L, 4)) {
    lua_settop(L, 4);
    put_flags(L);
  }
  return 0;
}

/* Chooses what is behind the globals. */
static void choose_globals(lua_State *L, const char *name) {
  lua_getmetatable(L, LUA_GLOBALSINDEX);
  lua_enablereadonlytable(L, -1, 0);
  lua_getfield(L, LUA_REGISTRYINDEX, name);
  lua_setfield(L, -2, "__index");
  lua_enablereadonlytable(L, -1, 1);
  lua_pop(L, 1);
}

static int load_library_protected(lua_State *L, void *length) {
  choose_globals(L, LIBRARY_GLOBALS);
  int is_compiled = luaL_loadbuffer(L, exchange, *(size_t *)length, "@user_function") == 0;
  exchange_used = 0;
  if (!is_compiled) {
    put_failure(L);
    return 2;
  }
  lua_sethook(L, look_at_budget, LUA_MASKCOUNT, INSTRUCTIONS_PER_LOOK);
  run.is_loading = 1;
  int status = lua_pcall(L, 0, 0, 0);
  run.is_loading = 0;
  lua_sethook(L, NULL, 0, 0);
  end_budget();
  if (status != 0) put_failure(L);
  choose_globals(L, GLOBALS);
  return status != 0;
}

/*
 * Runs the code of a library, which registers its functions. 0, and what they are is in the
 * exchange buffer; 1, and what failed; 2, and why it does not compile; -1, and an error.
 */
EXPORT(load_library) int load_library(size_t length) {
  return protect(load_library_protected, &length);
}

static int run_function_protected(lua_State *L, void *argument) {
  const Inputs *inputs = argument;
  uint32_t length;
  memcpy(&length, exchange, 4);
  lua_pushcfunction(L, handle_error);
  lua_getfield(L, LUA_REGISTRYINDEX, FUNCTIONS);
  lua_pushlstring(L, exchange + 4, length);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  const char *at = push_strings(L, exchange + 4 + length, inputs->keys);
  push_strings(L, at, inputs->arguments);
  return call_script(L, 2);
}

/* `run` of a function of the loaded library, whose name is before the strings. */
EXPORT(run_function) int run_function(int keys, int arguments) {
  Inputs inputs = {keys, arguments};
  return protect(run_function_protected, &inputs);
}
