/* The functions that a script finds in `redis`, and what it may see of Lua's own. */
#ifndef REDIS_API_H
#define REDIS_API_H

#include "lua.h"

/* Of the run under way. */
typedef struct {
  /* redis.call and the like may be used. */
  int is_running;
  /* redis.register_function may be used. */
  int is_loading;
  /* The RESP version of replies, 2 or 3. */
  int protocol;
} Run;
extern Run run;

/* Adds the libraries, without what reaches out of them, and `redis`. */
void open_api(lua_State *L, const char *version, int version_number);
/* redis.breakpoint and the like, which functions of libraries do not have. */
void open_eval_api(lua_State *L);
/* Pushes the `redis` that the code of a library sees while it is loaded. */
void push_library_api(lua_State *L, lua_CFunction register_function, const char *version,
                      int version_number);
/* From now on reading an absent field of the table on the top of the stack is an error. */
void protect_reads(lua_State *L);
/* From now on that table, and all that can be reached from it, cannot be changed. */
void protect_writes(lua_State *L);
void protect_basic_types(lua_State *L);
/* Makes of an error {err = …, source = …, line = …}, which lua_pcall then returns. */
int handle_error(lua_State *L);

#endif
