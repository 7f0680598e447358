/* Values between Lua and the host, in the exchange buffer. */
#ifndef VALUES_H
#define VALUES_H

#include "lua.h"

/*
 * A value is a tag and what belongs to it; lengths and counts are 32 bits, little-endian:
 *   i  an integer, as a double          ,  a double
 *   $  length, bytes: a string          +  length, bytes: a status
 *   -  length, bytes: an error          (  length, bytes: a big number
 *   =  format of 3 bytes, length, bytes: a verbatim string
 *   0  false (nil of RESP2)   _  nil    t, f  a boolean of RESP3
 *   *  count, values          ~  count, values: a set       %  count, pairs of values: a map
 *   !  of a run that failed: three strings, the message, where it was, and at which line
 */

/* Pushes the value that the exchange buffer begins with; its tag. */
char push_value(lua_State *L);
/* Pushes {err = …}: `text` is "-CODE message", or a message alone, which gets the code ERR. */
void push_error(lua_State *L, const char *text);
/* Puts the value on the top of the stack behind what the exchange buffer has, and pops it. */
void put_value(lua_State *L, int protocol, int depth);
void put_bytes(lua_State *L, char tag, const char *bytes, size_t length);

#endif
