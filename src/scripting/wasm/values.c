#include "values.h"

#include <string.h>

#include "host.h"
#include "lauxlib.h"

/* Deeper tables are refused: each level takes some of the stack of the host. */
#define DEPTH_MAX 1000

/* Set at the start of push_value; the buffer does not move while values are read. */
static const char *cursor;

static uint32_t take_uint32(void) {
  uint32_t value;
  memcpy(&value, cursor, 4);
  cursor += 4;
  return value;
}

static double take_double(void) {
  double value;
  memcpy(&value, cursor, 8);
  cursor += 8;
  return value;
}

static void push_bytes(lua_State *L) {
  uint32_t length = take_uint32();
  lua_pushlstring(L, cursor, length);
  cursor += length;
}

static void push_field(lua_State *L, const char *name) {
  lua_createtable(L, 0, 1);
  lua_pushstring(L, name);
  push_bytes(L);
  lua_rawset(L, -3);
}

static char push_next(lua_State *L);

static void push_array(lua_State *L) {
  uint32_t count = take_uint32();
  lua_newtable(L);
  for (uint32_t i = 1; i <= count; i++) {
    push_next(L);
    lua_rawseti(L, -2, i);
  }
}

static void push_set(lua_State *L, int is_map) {
  uint32_t count = take_uint32();
  lua_newtable(L);
  lua_pushstring(L, is_map ? "map" : "set");
  lua_newtable(L);
  for (uint32_t i = 0; i < count; i++) {
    push_next(L);
    if (is_map) push_next(L);
    else lua_pushboolean(L, 1);
    lua_settable(L, -3);
  }
  lua_rawset(L, -3);
}

static void push_verbatim(lua_State *L) {
  const char *format = cursor;
  cursor += 3;
  lua_newtable(L);
  lua_pushstring(L, "verbatim_string");
  lua_newtable(L);
  lua_pushstring(L, "string");
  push_bytes(L);
  lua_rawset(L, -3);
  lua_pushstring(L, "format");
  lua_pushlstring(L, format, 3);
  lua_rawset(L, -3);
  lua_rawset(L, -3);
}

static char push_next(lua_State *L) {
  luaL_checkstack(L, 6, "too deep a reply");
  char tag = *cursor++;
  switch (tag) {
    case 'i': lua_pushnumber(L, take_double()); break;
    case ',':
      lua_newtable(L);
      lua_pushstring(L, "double");
      lua_pushnumber(L, take_double());
      lua_rawset(L, -3);
      break;
    case '$': push_bytes(L); break;
    case '+': push_field(L, "ok"); break;
    case '-':
      push_field(L, "err");
      lua_pushstring(L, "ignore_error_stats_update");
      lua_pushboolean(L, 1);
      lua_rawset(L, -3);
      break;
    case '(': push_field(L, "big_number"); break;
    case '=': push_verbatim(L); break;
    case '0': lua_pushboolean(L, 0); break;
    case 't': lua_pushboolean(L, 1); break;
    case 'f': lua_pushboolean(L, 0); break;
    case '*': push_array(L); break;
    case '~': push_set(L, 0); break;
    case '%': push_set(L, 1); break;
    default: lua_pushnil(L);
  }
  return tag;
}

char push_value(lua_State *L) {
  cursor = exchange;
  return push_next(L);
}

void push_error(lua_State *L, const char *text) {
  const char *message = text;
  lua_newtable(L);
  lua_pushstring(L, "err");
  if (*text == '-') {
    const char *space = strchr(++text, ' ');
    message = space == NULL ? text : space + 1;
    if (space == NULL) lua_pushstring(L, "ERR");
    else lua_pushlstring(L, text, space - text);
  } else {
    lua_pushstring(L, "ERR");
  }
  lua_pushstring(L, " ");
  while (*message == '\r' || *message == '\n') message++;
  size_t length = strlen(message);
  while (length > 0 && (message[length - 1] == '\r' || message[length - 1] == '\n')) length--;
  lua_pushlstring(L, message, length);
  lua_concat(L, 3);
  lua_rawset(L, -3);
}

/* --- out -------------------------------------------------------------------------------------- */

static char *room(lua_State *L, size_t bytes) {
  char *start = exchange_room(exchange_used + bytes);
  if (start == NULL) luaL_error(L, "not enough memory");
  start += exchange_used;
  exchange_used += bytes;
  return start;
}

static void put_tag(lua_State *L, char tag) { *room(L, 1) = tag; }

static void put_double(lua_State *L, char tag, double value) {
  char *at = room(L, 9);
  *at = tag;
  memcpy(at + 1, &value, 8);
}

void put_bytes(lua_State *L, char tag, const char *bytes, size_t length) {
  char *at = room(L, 5 + length);
  uint32_t length32 = length;
  *at = tag;
  memcpy(at + 1, &length32, 4);
  memcpy(at + 5, bytes, length);
}

/* Begins a value of many; the place of its count. */
static size_t put_head(lua_State *L, char tag) {
  char *at = room(L, 5);
  *at = tag;
  return exchange_used - 4;
}

static void put_count(size_t place, uint32_t count) { memcpy(exchange + place, &count, 4); }

/* Pushes a field of the table on the top; 0, and nothing pushed, when it has another type. */
static int push_if(lua_State *L, const char *name, int type) {
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  if (lua_type(L, -1) == type) return 1;
  lua_pop(L, 1);
  return 0;
}

static void put_text(lua_State *L, char tag) {
  /* A line: it ends where a C string does. */
  const char *text = lua_tostring(L, -1);
  put_bytes(L, tag, text, strlen(text));
  lua_pop(L, 1);
}

static int put_verbatim(lua_State *L) {
  int put = 0;
  if (push_if(L, "format", LUA_TSTRING)) {
    lua_insert(L, -2);
    if (push_if(L, "string", LUA_TSTRING)) {
      size_t length;
      const char *format = lua_tostring(L, -3);
      const char *bytes = lua_tolstring(L, -1, &length);
      put_tag(L, '=');
      char *at = room(L, 3);
      memset(at, 0, 3);
      strncpy(at, format, 3);
      put_bytes(L, '$', bytes, length);
      lua_pop(L, 1);
      put = 1;
    }
    lua_remove(L, -2);
  }
  lua_pop(L, 1);
  return put;
}

/* A table whose keys are the items, or keys and values the pairs. */
static void put_keys(lua_State *L, int is_map, int protocol, int depth) {
  size_t place = put_head(L, is_map ? '%' : '~');
  uint32_t count = 0;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (!is_map) lua_pop(L, 1);
    lua_pushvalue(L, is_map ? -2 : -1);
    put_value(L, protocol, depth + 1);
    if (is_map) put_value(L, protocol, depth + 1);
    count++;
  }
  put_count(place, count);
  lua_pop(L, 1);
}

static void put_table(lua_State *L, int protocol, int depth) {
  if (push_if(L, "err", LUA_TSTRING)) return put_text(L, '-');
  if (push_if(L, "ok", LUA_TSTRING)) return put_text(L, '+');
  if (push_if(L, "double", LUA_TNUMBER)) {
    put_double(L, ',', lua_tonumber(L, -1));
    return lua_pop(L, 1);
  }
  if (push_if(L, "big_number", LUA_TSTRING)) {
    size_t length;
    const char *digits = lua_tolstring(L, -1, &length);
    put_bytes(L, '(', digits, length);
    return lua_pop(L, 1);
  }
  if (push_if(L, "verbatim_string", LUA_TTABLE) && put_verbatim(L)) return;
  if (push_if(L, "map", LUA_TTABLE)) return put_keys(L, 1, protocol, depth);
  if (push_if(L, "set", LUA_TTABLE)) return put_keys(L, 0, protocol, depth);
  size_t place = put_head(L, '*');
  uint32_t count = 0;
  for (;;) {
    lua_rawgeti(L, -1, count + 1);
    if (lua_isnil(L, -1)) break;
    put_value(L, protocol, depth + 1);
    count++;
  }
  lua_pop(L, 1);
  put_count(place, count);
}

void put_value(lua_State *L, int protocol, int depth) {
  if (depth > DEPTH_MAX || !lua_checkstack(L, 6)) {
    static const char error[] = "ERR reached lua stack limit";
    put_bytes(L, '-', error, sizeof(error) - 1);
    return lua_pop(L, 1);
  }
  switch (lua_type(L, -1)) {
    case LUA_TSTRING: {
      size_t length;
      const char *bytes = lua_tolstring(L, -1, &length);
      put_bytes(L, '$', bytes, length);
      break;
    }
    case LUA_TBOOLEAN:
      if (protocol == 3) put_tag(L, lua_toboolean(L, -1) ? 't' : 'f');
      else if (lua_toboolean(L, -1)) put_double(L, 'i', 1);
      else put_tag(L, '_');
      break;
    case LUA_TNUMBER: put_double(L, 'i', lua_tonumber(L, -1)); break;
    case LUA_TTABLE: put_table(L, protocol, depth); break;
    default: put_tag(L, '_');
  }
  lua_pop(L, 1);
}
