// Prints what becomes of scripts, as JSON: the same on each runtime.
import { LuaEngine, type LuaSource } from "../../src/scripting/lua_engine.ts";
import type { ScriptHost } from "../../src/scripting/lua_instance.ts";

const SCRIPTS: readonly string[] = [
  "return {1, 2.5, 'x', KEYS[1], ARGV[1], true, {ok='fine'}, {err='E x'}}",
  "return redis.call('a', 1, 0.1, '\\0\\255')",
  "return {tostring({}), tostring(next), tostring(0/0), tostring(-(0/0)), 1e300 * 1e10}",
  "local r = {} for k in pairs({a=1, b=2, [{}]=3, [next]=4, [1.5]=5}) do r[#r+1] = tostring(k) end return r",
  "return {math.random(1000), math.random(), math.sin(1), 2 ^ 0.5, math.exp(1), math.log(3)}",
  "return {cjson.encode({a={1, 2, 3}, b=0.1}), cmsgpack.pack({1.5, 'x'}), struct.pack('>ld', 1, 0/0)}",
  "return {string.format('%5.2f %g %q', 1/3, 1e100, 'a'), ('x'):rep(100000):len()}",
  "return collectgarbage('count')",
  "local t = {} for i = 1, 1000 do t[i] = ('y'):rep(i) end return #table.concat(t)",
  "leak = 1",
  "return rawget(_G, 'leak')",
  "syntax error",
  "error('boo')",
  "while true do end",
  "while true do pcall(function() while true do end end) end",
  "local t = {} while true do t[#t + 1] = {} end",
  "local s = ('x'):rep(1000000) while true do s = s:upper() end",
  "return ('a'):rep(100000):find(('.-'):rep(50) .. 'b')",
  "return ('a'):match(('a?'):rep(100000))",
  "local t = {} for i = 1, 100000 do t[i] = i end while true do table.sort(t) end",
  "while true do table.insert({}, -2147483648, 1) end",
  "return ('x'):rep(2147483647):rep(2147483647)",
  "while true do (''):rep(2147483647) end",
  "while true do collectgarbage() end",
  "local t = {} for i = 1, 1000000 do t[i] = 1 end for i = 1, 999999 do t[i] = nil end while true do next(t) end",
  "local s = '--' .. ('x'):rep(1000000) while true do loadstring(s) end",
  "local co = coroutine.wrap(function() while true do end end) co()",
  "local function f() return 1 + f() end return f()",
  "local function f(n) if n == 0 then return {} end return {f(n - 1)} end return f(5000)",
  "local function f() return pcall(f) end return f()",
  "local t = {} for i = 1, 5000 do t = {t} end return t",
  "local t = {} for i = 1, 5000 do t = {t} end return cjson.encode(t)",
  "return cjson.decode(('['):rep(5000))",
  "local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) return t[k .. 'x'] end return t.a",
  "return loadstring('return ' .. ('('):rep(5000) .. '1' .. (')'):rep(5000))()",
  "return unpack({}, 1, 100000)",
  "local function f(n) if n == 0 then return redis.call('deep') end return select(2, pcall(f, n - 1)) end return f(90)",
  "local function f(n) if n == 0 then return redis.call('deep') end return n + ('x'):gsub('x', function() f(n - 1) end):len() end return f(150)",
];

/** What a command may take of the stack, by far. */
function descend(levels: number): string {
  return levels === 0 ? "t" : descend(levels - 1).slice(0, 1);
}

const host: ScriptHost = {
  call: (argv, protocol) => {
    if (argv[0] === "deep") return descend(2000);
    const text = JSON.stringify([argv, protocol]);
    return "$" + String.fromCharCode(text.length, 0, 0, 0) + text;
  },
  mayCall: () => true,
  log: () => {},
  seed: () => 42,
};

const engine = new LuaEngine("7.2.0", 5_000_000);
const outcomes = SCRIPTS.map((text) => {
  const source: LuaSource = { id: text, kind: "script", text };
  const first = engine.run(source, ["key"], ["argument"], host);
  return { text, ...first, bytes: first.bytes.slice(0, 300) };
});
// Again, in another order, behind what the first ones left.
for (const { text, kind, bytes } of outcomes.slice(0, 11).reverse()) {
  const again = engine.run({ id: text, kind: "script", text }, ["key"], ["argument"], host);
  if (again.kind !== kind || again.bytes.slice(0, 300) !== bytes) {
    throw new Error(`${text} gave ${bytes} and then ${again.bytes}`);
  }
}
console.log(JSON.stringify(outcomes));
