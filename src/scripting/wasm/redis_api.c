#include "redis_api.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "lauxlib.h"
#include "lualib.h"
#include "values.h"

Run run;

int luaopen_cjson(lua_State *L);
int luaopen_struct(lua_State *L);
int luaopen_cmsgpack(lua_State *L);
int luaopen_bit(lua_State *L);

/* What a call of a command is reckoned as, in units of the budget. */
#define CALL_UNITS 200

static int raise_error(lua_State *L, const char *text) {
  push_error(L, text);
  return lua_error(L);
}

/* --- redis.call ------------------------------------------------------------------------------- */

/* An argument as the host reads it. */
typedef struct {
  const char *bytes;
  uint32_t length;
} Argument;

#define NUMBER_BYTES 32

static Argument *arguments;
static int arguments_size;

/* A number as `%.17g`; most are small integers. */
static int write_number(char *out, double number) {
  int integer = (int)number;
  if (integer == number && !(number == 0 && signbit(number))) {
    return snprintf(out, NUMBER_BYTES, "%d", integer);
  }
  return snprintf(out, NUMBER_BYTES, "%.17g", number);
}

/* The arguments of the C function, in `arguments`; their number, or 0 and an error is pushed. */
static int take_arguments(lua_State *L) {
  int count = lua_gettop(L);
  if (count == 0) {
    push_error(L, "Please specify at least one argument for this redis lib call");
    return 0;
  }
  if (count > arguments_size) {
    int size = count * 2;
    void *grown = realloc(arguments, size * (sizeof(Argument) + NUMBER_BYTES));
    if (grown == NULL) luaL_error(L, "not enough memory");
    arguments = grown;
    arguments_size = size;
  }
  char *numbers = (char *)(arguments + arguments_size);
  for (int i = 0; i < count; i++) {
    size_t length;
    if (lua_type(L, i + 1) == LUA_TNUMBER) {
      char *text = numbers + i * NUMBER_BYTES;
      arguments[i].bytes = text;
      arguments[i].length = write_number(text, lua_tonumber(L, i + 1));
    } else if ((arguments[i].bytes = lua_tolstring(L, i + 1, &length)) != NULL) {
      arguments[i].length = length;
    } else {
      push_error(L, "Lua redis lib command arguments must be strings or integers");
      return 0;
    }
  }
  return count;
}

static int call_command(lua_State *L, int raises) {
  if (!run.is_running) {
    return raise_error(L, "redis.call/pcall can only be called inside a script invocation");
  }
  int count = take_arguments(L);
  if (count == 0) return raises ? lua_error(L) : 1;
  budget -= CALL_UNITS;
  host_call(arguments, count, run.protocol);
  lua_settop(L, 0);
  char tag = push_value(L);
  return raises && tag == '-' ? lua_error(L) : 1;
}

static int redis_call(lua_State *L) { return call_command(L, 1); }
static int redis_pcall(lua_State *L) { return call_command(L, 0); }

/* pcall gives the text of errors that are tables with one, as before Redis 7. */
static int base_pcall(lua_State *L) {
  int count = lua_gettop(L);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  if (lua_pcall(L, count - 1, LUA_MULTRET, 0)) {
    lua_remove(L, 1);
    if (lua_istable(L, -1)) {
      lua_getfield(L, -1, "err");
      if (lua_isstring(L, -1)) lua_replace(L, -2);
    }
    lua_pushboolean(L, 0);
    lua_insert(L, 1);
  }
  return lua_gettop(L);
}

/* --- the other functions of redis ------------------------------------------------------------- */

static int redis_sha1hex(lua_State *L) {
  if (lua_gettop(L) != 1) return raise_error(L, "wrong number of arguments");
  size_t length = 0;
  const char *text = lua_tolstring(L, 1, &length);
  char digits[40];
  host_sha1(text, length, digits);
  lua_pushlstring(L, digits, sizeof(digits));
  return 1;
}

static int is_one_string(lua_State *L) {
  if (lua_gettop(L) == 1 && lua_type(L, 1) == LUA_TSTRING) return 1;
  push_error(L, "wrong number or type of arguments");
  return 0;
}

static int redis_error_reply(lua_State *L) {
  if (!is_one_string(L)) return 1;
  const char *text = lua_tostring(L, 1);
  if (*text != '-') text = lua_pushfstring(L, "-%s", text);
  push_error(L, text);
  return 1;
}

static int redis_status_reply(lua_State *L) {
  if (!is_one_string(L)) return 1;
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "ok");
  return 1;
}

static int redis_log(lua_State *L) {
  int count = lua_gettop(L);
  if (count < 2) return raise_error(L, "redis.log() requires two arguments or more.");
  if (!lua_isnumber(L, 1)) {
    return raise_error(L, "First argument must be a number (log level).");
  }
  int level = lua_tonumber(L, 1);
  if (level < 0 || level > 3) return raise_error(L, "Invalid debug level.");
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  for (int i = 2; i <= count; i++) {
    if (!lua_isstring(L, i)) continue;
    if (i > 2) luaL_addchar(&text, ' ');
    lua_pushvalue(L, i);
    luaL_addvalue(&text);
  }
  luaL_pushresult(&text);
  size_t length;
  const char *bytes = lua_tolstring(L, -1, &length);
  host_log(level, bytes, length);
  return 0;
}

static int redis_setresp(lua_State *L) {
  if (!run.is_running) {
    return raise_error(L, "redis.setresp can only be called inside a script invocation");
  }
  if (lua_gettop(L) != 1) return raise_error(L, "redis.setresp() requires one argument.");
  int protocol = lua_tonumber(L, 1);
  if (protocol != 2 && protocol != 3) return raise_error(L, "RESP version must be 2 or 3.");
  run.protocol = protocol;
  return 0;
}

#define REPL_AOF 1
#define REPL_REPLICA 2

/* All that is written goes to every node, so that this has no effect. */
static int redis_set_repl(lua_State *L) {
  if (!run.is_running) {
    return raise_error(L, "redis.set_repl can only be called inside a script invocation");
  }
  if (lua_gettop(L) != 1) return raise_error(L, "redis.set_repl() requires two arguments.");
  int flags = lua_tonumber(L, 1);
  if ((flags & ~(REPL_AOF | REPL_REPLICA)) != 0) {
    return raise_error(
        L, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
  }
  return 0;
}

static int redis_acl_check_cmd(lua_State *L) {
  if (!run.is_running) {
    return raise_error(L, "redis.acl_check_cmd can only be called inside a script invocation");
  }
  int count = take_arguments(L);
  if (count == 0) return lua_error(L);
  int may = host_may_call(arguments, count);
  if (may < 0) return raise_error(L, "Invalid command passed to redis.acl_check_cmd()");
  lua_pushboolean(L, may);
  return 1;
}

/* There is no debugger. */
static int redis_breakpoint(lua_State *L) {
  lua_pushboolean(L, 0);
  return 1;
}

static int redis_debug(lua_State *L) {
  (void)L;
  return 0;
}

static int redis_replicate_commands(lua_State *L) {
  lua_pushboolean(L, 1);
  return 1;
}

/* --- math.random: the generator of drand48, seeded anew for each run --------------------------- */

static int is_seeded;
static uint64_t random_state;

static void seed_random(int32_t seed) {
  random_state = ((uint64_t)(uint32_t)seed << 16) | 0x330e;
  is_seeded = 1;
}

static int math_randomseed(lua_State *L) {
  if (!run.is_running) {
    return luaL_error(L, "math.randomseed can only be called inside a script invocation");
  }
  seed_random(luaL_checkint(L, 1));
  return 0;
}

static int math_random(lua_State *L) {
  if (!run.is_running) {
    return luaL_error(L, "math.random can only be called inside a script invocation");
  }
  if (!is_seeded) seed_random(host_seed());
  random_state = (random_state * 0x5deece66dull + 0xb) & 0xffffffffffffull;
  double r = (double)((int32_t)(random_state >> 17) % INT32_MAX) / (double)INT32_MAX;
  switch (lua_gettop(L)) {
    case 0: lua_pushnumber(L, r); break;
    case 1: {
      int upper = luaL_checkint(L, 1);
      luaL_argcheck(L, 1 <= upper, 1, "interval is empty");
      lua_pushnumber(L, floor(r * upper) + 1);
      break;
    }
    case 2: {
      int lower = luaL_checkint(L, 1);
      int upper = luaL_checkint(L, 2);
      luaL_argcheck(L, lower <= upper, 2, "interval is empty");
      lua_pushnumber(L, floor(r * (upper - lower + 1)) + lower);
      break;
    }
    default: return luaL_error(L, "wrong number of arguments");
  }
  return 1;
}

/* --- what a script sees ----------------------------------------------------------------------- */

typedef struct {
  const char *name;
  lua_CFunction function;
} Function;

typedef struct {
  const char *name;
  int number;
} Number;

static void set_functions(lua_State *L, const Function *functions, size_t count) {
  for (size_t i = 0; i < count; i++) {
    lua_pushcfunction(L, functions[i].function);
    lua_setfield(L, -2, functions[i].name);
  }
}

static void set_numbers(lua_State *L, const Number *numbers, size_t count) {
  for (size_t i = 0; i < count; i++) {
    lua_pushnumber(L, numbers[i].number);
    lua_setfield(L, -2, numbers[i].name);
  }
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void set_log_and_version(lua_State *L, const char *version, int version_number) {
  static const Function log[] = {{"log", redis_log}};
  static const Number levels[] = {
      {"LOG_DEBUG", 0}, {"LOG_VERBOSE", 1}, {"LOG_NOTICE", 2}, {"LOG_WARNING", 3}};
  set_functions(L, log, COUNT(log));
  set_numbers(L, levels, COUNT(levels));
  lua_pushnumber(L, version_number);
  lua_setfield(L, -2, "REDIS_VERSION_NUM");
  lua_pushstring(L, version);
  lua_setfield(L, -2, "REDIS_VERSION");
}

static void open_library(lua_State *L, const char *name, lua_CFunction open) {
  lua_pushcfunction(L, open);
  lua_pushstring(L, name);
  lua_call(L, 1, 0);
}

static void open_libraries(lua_State *L) {
  static const char *const removed[] = {"newproxy", "setfenv", "getfenv"};
  open_library(L, "", luaopen_base);
  open_library(L, LUA_TABLIBNAME, luaopen_table);
  open_library(L, LUA_STRLIBNAME, luaopen_string);
  open_library(L, LUA_MATHLIBNAME, luaopen_math);
  open_library(L, "cjson", luaopen_cjson);
  open_library(L, "struct", luaopen_struct);
  open_library(L, "cmsgpack", luaopen_cmsgpack);
  open_library(L, "bit", luaopen_bit);
  for (size_t i = 0; i < COUNT(removed); i++) {
    lua_pushnil(L);
    lua_setglobal(L, removed[i]);
  }
}

void open_api(lua_State *L, const char *version, int version_number) {
  static const Function api[] = {
      {"call", redis_call},
      {"pcall", redis_pcall},
      {"setresp", redis_setresp},
      {"sha1hex", redis_sha1hex},
      {"error_reply", redis_error_reply},
      {"status_reply", redis_status_reply},
      {"set_repl", redis_set_repl},
      {"acl_check_cmd", redis_acl_check_cmd},
  };
  static const Number flags[] = {
      {"REPL_NONE", 0},
      {"REPL_AOF", REPL_AOF},
      {"REPL_SLAVE", REPL_REPLICA},
      {"REPL_REPLICA", REPL_REPLICA},
      {"REPL_ALL", REPL_AOF | REPL_REPLICA},
  };
  static const Function random[] = {{"random", math_random}, {"randomseed", math_randomseed}};
  open_libraries(L);
  lua_pushcfunction(L, base_pcall);
  lua_setglobal(L, "pcall");
  lua_newtable(L);
  set_functions(L, api, COUNT(api));
  set_numbers(L, flags, COUNT(flags));
  set_log_and_version(L, version, version_number);
  lua_setglobal(L, "redis");
  lua_getglobal(L, "math");
  set_functions(L, random, COUNT(random));
  lua_pop(L, 1);
}

void open_eval_api(lua_State *L) {
  static const Function api[] = {
      {"breakpoint", redis_breakpoint},
      {"debug", redis_debug},
      {"replicate_commands", redis_replicate_commands},
  };
  lua_getglobal(L, "redis");
  set_functions(L, api, COUNT(api));
  lua_pop(L, 1);
}

void push_library_api(lua_State *L, lua_CFunction register_function, const char *version,
                      int version_number) {
  lua_newtable(L);
  lua_pushcfunction(L, register_function);
  lua_setfield(L, -2, "register_function");
  set_log_and_version(L, version, version_number);
}

/* --- protection ------------------------------------------------------------------------------- */

static int no_such_global(lua_State *L) {
  if (lua_gettop(L) != 2) luaL_error(L, "Wrong number of arguments to luaProtectedTableError");
  if (!lua_isstring(L, -1)) {
    luaL_error(L, "Second argument to luaProtectedTableError must be a string or number");
  }
  return luaL_error(L, "Script attempted to access nonexistent global variable '%s'",
                    lua_tostring(L, -1));
}

void protect_reads(lua_State *L) {
  lua_newtable(L);
  lua_pushcfunction(L, no_such_global);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

void protect_writes(lua_State *L) {
  if (lua_isreadonlytable(L, -1)) return;
  lua_enablereadonlytable(L, -1, 1);
  luaL_checkstack(L, 3, "too deep a table");
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (lua_istable(L, -1)) protect_writes(L);
    lua_pop(L, 1);
  }
  if (lua_getmetatable(L, -1)) {
    protect_writes(L);
    lua_pop(L, 1);
  }
}

/* Of the types that can have a metatable at all, strings have one. */
void protect_basic_types(lua_State *L) {
  lua_pushliteral(L, "");
  if (lua_getmetatable(L, -1)) {
    protect_writes(L);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

int handle_error(lua_State *L) {
  lua_Debug where;
  int is_known = lua_getstack(L, 1, &where) && lua_getinfo(L, "nSl", &where);
  if (is_known && strcmp(where.what, "C") == 0) {
    is_known = lua_getstack(L, 2, &where) && lua_getinfo(L, "nSl", &where);
  }
  if (!lua_istable(L, 1)) {
    const char *text = lua_tostring(L, 1);
    lua_newtable(L);
    if (text == NULL) lua_pushfstring(L, "ERR %s", luaL_typename(L, 1));
    else lua_pushfstring(L, "ERR %s", text);
    lua_setfield(L, -2, "err");
    lua_replace(L, 1);
  }
  if (is_known) {
    lua_pushstring(L, where.source);
    lua_setfield(L, 1, "source");
    lua_pushnumber(L, where.currentline);
    lua_setfield(L, 1, "line");
  }
  lua_settop(L, 1);
  return 1;
}
