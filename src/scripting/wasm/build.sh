#!/usr/bin/env bash
# Makes lua_wasm.json out of the Lua in a source tree of Redis 7.0.15, and the C files beside this.
#
#   apt-get source redis                               # or the release of redis.io
#   apt-get install clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32
#   src/scripting/wasm/build.sh redis-7.0.15
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lua=$(cd "${1:?usage: build.sh REDIS-SOURCE}/deps/lua/src" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$lua"/*.[ch] "$work"
cd "$work"

# patch FILE PATTERN REPLACEMENT: each must be there, or the source is another one.
patch() {
  grep -q -- "$2" "$1" || { echo "build.sh: $1 has no $2" >&2; exit 1; }
  sed -i "s|$2|$3|g" "$1"
}
# Errors leave C by an exception of the host.
patch luaconf.h '#define LUAI_THROW(L,c)	longjmp((c)->b, 1)' '#define LUAI_THROW(L,c) host_raise()'
patch luaconf.h '#define LUAI_TRY(L,c,a)	if (setjmp((c)->b) == 0) { a }' \
  '#define LUAI_TRY(L,c,a) host_attempt(f, L, ud);'
patch luaconf.h '#define luai_jmpbuf	jmp_buf' '#define luai_jmpbuf int'
patch ldo.c '#include <setjmp.h>' ''
patch lua_cjson.c '#include "../../../src/solarisfixes.h"' ''
# Integers and buffers as where Redis runs.
patch luaconf.h '#define LUA_INTEGER	ptrdiff_t' '#define LUA_INTEGER long long'
patch luaconf.h '#define LUAL_BUFFERSIZE		BUFSIZ' '#define LUAL_BUFFERSIZE 8192'
patch lstrlib.c 'ptrdiff_t' 'long long'
patch lua_struct.c 'return sizeof(long);' 'return 8;'
patch lua_struct.c 'return sizeof(size_t);' 'return 8;'
# Negative numbers in %x and the like, and what is no number: as on x86.
patch lstrlib.c '(unsigned LUA_INTFRM_T)luaL_checknumber(L, arg)' 'as_unsigned(luaL_checknumber(L, arg))'
patch lstrlib.c '^static int str_format (lua_State \*L) {' \
  'static unsigned long long as_unsigned(double number) {\
  return number >= 0 ? (unsigned long long)number : (unsigned long long)(long long)number;\
}\
\
static int str_format (lua_State *L) {'
# The sign of what is no number depends on the machine.
patch luaconf.h '#define lua_number2str(s,n)	sprintf((s), LUA_NUMBER_FMT, (n))' \
  '#define lua_number2str(s,n) ((n) != (n) ? sprintf((s), "-nan") : sprintf((s), LUA_NUMBER_FMT, (n)))'
patch lapi.c '    return nvalue(o);' '    return nvalue(o) != nvalue(o) ? -__builtin_nan("") : nvalue(o);'
# No files, and nothing printed.
patch lbaselib.c '{"dofile", luaB_dofile},' ''
patch lbaselib.c '{"loadfile", luaB_loadfile},' ''
patch lbaselib.c '{"print", luaB_print},' ''
# What takes long within one instruction counts too; a pattern may not use up the host's stack.
patch lstrlib.c '^static const char \*match (MatchState \*ms, const char \*s, const char \*p) {' \
  'static const char *match_item(MatchState *ms, const char *s, const char *p);\
static const char *match(MatchState *ms, const char *s, const char *p) {\
  if (++match_depth > MATCH_DEPTH_MAX) luaL_error(ms->L, "pattern too complex");\
  spend(ms->L, 1);\
  const char *end = match_item(ms, s, p);\
  match_depth--;\
  return end;\
}\
static const char *match_item(MatchState *ms, const char *s, const char *p) {'
patch lstrlib.c 'ms\.level = 0;' 'ms.level = 0; match_depth = 0;'
patch lstrlib.c '      int m = s<ms->src_end && singlematch' \
  '      budget--; int m = s<ms->src_end \&\& singlematch'
patch lstrlib.c 'const char \*s2 = lmemfind(s+init, l1-init, p, l2);' \
  'spend(L, l1 >> 3); const char *s2 = lmemfind(s+init, l1-init, p, l2);'
patch lstrlib.c 'luaL_addlstring(&b, s, l);' '{ spend(L, 1); luaL_addlstring(\&b, s, l); }'
patch ltablib.c 'static int sort_comp (lua_State \*L, int a, int b) {' '& spend(L, 8);'
patch ltablib.c 'for (i = e; i > pos; i--) {' '& spend(L, 4);'
patch ltablib.c 'for ( ;pos<e; pos++) {' '& spend(L, 4);'
patch ltable.c 'for (i++; i < t->sizearray; i++)' 'for (i++; i < t->sizearray; i++, budget--)'
patch ltable.c 'i < sizenode(t); i++)' 'i < sizenode(t); i++, budget--)'
patch lvm.c 'int temp = strcoll(l, r);' 'budget -= ll >> 3; int temp = strcmp(l, r);'
patch lapi.c 'luaC_fullgc(L);' '{ spend(L, g->totalbytes >> 3); luaC_fullgc(L); }'
patch lzio.c '  z->n = size - 1;' '  spend(L, size); z->n = size - 1;'

core=(lapi lcode ldebug ldo ldump lfunc lgc llex lmem lobject lopcodes lparser lstate lstring ltable
  ltm lundump lvm lzio strbuf fpconv lauxlib lbaselib lmathlib ltablib lstrlib lua_cjson lua_struct
  lua_cmsgpack lua_bit)
clang-14 --target=wasm32-wasi -O2 -std=gnu11 -DNDEBUG -DLUA_USELONGLONG -DSTRUCT_INT='long long' \
  -DENABLE_CJSON_GLOBAL=0 -include "$here/host.h" -I"$work" -I"$here" \
  -Wno-deprecated-declarations -mexec-model=reactor -nostartfiles \
  -ffunction-sections -Wl,--no-entry,--gc-sections,--strip-all,--stack-first,-z,stack-size=4194304 \
  -Wl,--export-table,--export=__stack_pointer,--export=__heap_base,--allow-undefined \
  -o lua.wasm "${core[@]/%/.c}" "$here"/{memory,values,redis_api,main}.c -lm
node - lua.wasm "$here/lua_wasm.json" <<'JS'
const { readFileSync, writeFileSync } = require("node:fs");
const { deflateRawSync } = require("node:zlib");
const { createHash } = require("node:crypto");
const [wasm, out] = process.argv.slice(2);
const bytes = readFileSync(wasm);
const sha256 = createHash("sha256").update(bytes).digest("hex");
const data = deflateRawSync(bytes, { level: 9 }).toString("base64");
writeFileSync(out, JSON.stringify({ bytes: bytes.length, sha256, data }) + "\n");
console.log(`${bytes.length} bytes, ${data.length} in base64, sha256 ${sha256}`);
const module = new WebAssembly.Module(bytes);
for (const { module: from, name } of WebAssembly.Module.imports(module)) {
  if (from !== "host") console.log(`imports ${from}.${name}`);
}
JS
