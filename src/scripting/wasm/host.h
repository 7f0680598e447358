/* What this module and its host, engine.ts, ask of each other. */
#ifndef HOST_H
#define HOST_H

#include <stddef.h>
#include <stdint.h>

struct lua_State;

#define IMPORT(name) __attribute__((import_module("host"), import_name(#name))) extern
#define EXPORT(name) __attribute__((export_name(#name)))

/* Calls f(L, ud); comes back when it returns, or when raise() was called within. */
IMPORT(attempt) void host_attempt(void (*f)(struct lua_State *, void *), struct lua_State *L,
                                  void *ud);
IMPORT(raise) _Noreturn void host_raise(void);
/* Runs a command; its reply, in the shapes of RESP2 or RESP3, is in the exchange buffer then. */
IMPORT(call) void host_call(const void *arguments, int count, int protocol);
/* 1: may be run; 0: may not; -1: there is no such command. */
IMPORT(may_call) int host_may_call(const void *arguments, int count);
IMPORT(log) void host_log(int level, const char *text, int length);
/* Writes the 40 hexadecimal digits of the SHA-1. */
IMPORT(sha1) void host_sha1(const char *text, int length, char *digits);
/* The machine has no memory left: it never comes back. */
IMPORT(no_memory) _Noreturn void host_no_memory(void);
/* What math.random begins with. */
IMPORT(seed) int32_t host_seed(void);

/* memory.c */
/* Units of work that are left: about one per instruction of Lua. */
extern int64_t budget;
/* Takes so many, and raises an error when there were not as many. */
void spend(struct lua_State *L, size_t units);
/* Beyond this below zero nothing is allocated any more. */
#define BUDGET_GRACE (1 << 20)
/* The buffer through which values go in and out. */
extern char *exchange;
char *exchange_room(size_t bytes);
extern size_t exchange_used;

/* Depth of the pattern that is being matched: see build.sh. */
extern int match_depth;
#define MATCH_DEPTH_MAX 200

#endif
