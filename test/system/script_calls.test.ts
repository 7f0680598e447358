// What scripts call, as MONITOR and INFO tell of it: as redis-server does, on the node asked alone.
import { expect, test } from "bun:test";
import { compareConversations } from "./conversation.ts";
import { until } from "./harness.ts";
import { RespClient } from "./resp_client.ts";
import { Trio } from "./trio.ts";

const trio = new Trio();

/** MONITOR's lines without times and ports; INFO without run times, its lines in order. */
function mask(raw: string): string {
  if (!raw.startsWith("$")) {
    return raw.replace(/^\+\d+\.\d{6} \[(\d+) (127\.0\.0\.1:\d+|lua)\]/, (_, db, from) => {
      return `+[${db} ${from === "lua" ? from : "client"}]`;
    });
  }
  const lines = raw.split("\r\n").filter((line) => /^(cmdstat|errorstat|total_)/.test(line));
  return lines
    .filter((line) => !/^cmdstat_(client|dbsize)|^total_(?!commands_p|error_r)/.test(line))
    .map((line) => line.replace(/usec=\d+,usec_per_call=[\d.]+,/, "")).sort().join("\n");
}

const LIBRARY = "#!lua name=lib\\n" +
  "redis.register_function('f', function(k, a) return redis.call('set', k[1], a[1]) end)\\n" +
  "redis.register_function{function_name='r', flags={'no-writes'}, " +
  "callback=function(k) return redis.call('get', k[1]) end}";

const MONITORED: Readonly<Record<string, string>> = {
  "a script": `
    a: EVAL "redis.call('set',KEYS[1],ARGV[1]) return redis.call('GET',KEYS[1])" 1 k "a\\x00b"
    m< 3
    a: EVAL_RO "return redis.call('get','k')" 0
    m< 2`,
  "another database": `
    a: EVAL "redis.call('select',4) redis.call('set','here',1) return redis.call('ping')" 0
    m< 4`,
  "what failed, and not what was refused": `
    a: EVAL "redis.pcall('incr','k','x') redis.pcall('nosuch') redis.pcall('lpush','s',1)" 0
    m< 2
    a: EVAL "redis.call('set','s',1) redis.pcall('lpush','s',1) redis.pcall('blpop','l',0)" 0
    m< 3
    a: EVAL_RO "return redis.pcall('set','k',1)" 0
    m< 1
    a: EVAL "return redis.call('config','get','x')" 0
    m< 1`,
  "functions": `
    a: FUNCTION LOAD "${LIBRARY}"
    m< 1
    a: FCALL f 1 k v
    m< 2
    a: FCALL_RO r 1 k
    m< 2`,
  "a transaction": `
    a: MULTI
    m< 1
    a: EVAL "return redis.call('incr','n')" 0
    a: PING
    a: EXEC
    m< 4
    a: MULTI
    m< 1
    a: EVAL_RO "return redis.call('get','n')" 0
    a: GET n
    a: EXEC
    m< 4`,
};

for (const [name, lines] of Object.entries(MONITORED)) {
  const text = `a: FLUSHALL\na: FUNCTION FLUSH\nm: MONITOR\n${lines}\na: PING\nm< 1`;
  const ports = () => trio.ports.map((port) => [port]);
  test(`MONITOR: ${name}`, async () => {
    await compareConversations([trio.balsa.port], trio.redis.port, text, mask);
    for (const [port] of ports()) {
      await compareConversations([port], trio.redis.port, text, mask);
    }
  });
}

const COUNTED: Readonly<Record<string, string>> = {
  "calls": `
    a: EVAL "for i = 1, 10 do redis.call('set','k',i) end return redis.call('get','k')" 0
    a: EVAL_RO "return {redis.call('get','k'), redis.call('echo','x')}" 0
    a: EVAL "return redis.call('select',4)" 0`,
  "an error caught": `
    a: EVAL "redis.pcall('xgroup','createconsumer','s1','g','c') return 1" 0
    a: EVAL "redis.call('set','s',1) redis.pcall('lpush','s',1) return 1" 0`,
  "an error raised": `
    a: EVAL "redis.call('set','s',1) redis.call('lpush','s',1)" 0`,
  "an error returned": `
    a: EVAL "redis.call('set','s',1) return redis.pcall('lpush','s',1)" 0`,
  "errors of the script itself": `
    a: EVAL "return redis.error_reply('MY error')" 0
    a: EVAL "return redis.error_reply('MYERR')" 0
    a: EVAL "return redis.error_reply('ALONGWORDTHATISNOCODEATALLBECAUSEITISTOOLONG x')" 0
    a: EVAL "return {err='OWN error'}" 0
    a: EVAL "error('boo')" 0
    a: EVAL "error({err='RAISED here'})" 0
    a: EVAL "redis.call('set','s',1) local _, e = pcall(redis.call,'lpush','s',1) error(e)" 0
    a: EVAL "return redis.call()" 0
    a: EVAL "return redis.pcall()" 0
    a: EVAL "nonsense" 0`,
  "errors within what is returned": `
    a: SET s 1
    a: EVAL "return {redis.pcall('lpush','s',1), {redis.pcall('incr','s','x')}, 1}" 0
    a: EVAL "return {1, {err='MY error'}, {{err='OTHER error'}}}" 0
    a: EVAL "return {redis.pcall('lpush','s',1), {err='MY error'}}" 0`,
  "what is refused": `
    a: EVAL "return redis.call('nosuch')" 0
    a: EVAL "return redis.call('get')" 0
    a: EVAL "return redis.call('xgroup')" 0
    a: EVAL "return redis.call('xgroup','nosuch','k')" 0
    a: EVAL "return redis.pcall('blpop','l',0)" 0
    a: EVAL "return redis.pcall('eval','return 1',0)" 0
    a: EVAL "return redis.pcall('config','get','x')" 0
    a: EVAL "return redis.pcall('script','exists','x')" 0
    a: EVAL "return redis.pcall('xread','block',0,'streams','s',0)" 0
    a: EVAL_RO "return redis.pcall('set','k',1)" 0
    a: EVAL_RO "redis.call('publish','c','m')" 0`,
  "a transaction": `
    a: MULTI
    a: EVAL "redis.pcall('nosuch') return redis.call('incr','n')" 0
    a: EVAL "return redis.call('get')" 0
    a: EXEC
    a: MULTI
    a: EVAL_RO "return redis.call('get','n')" 0
    a: EXEC`,
  "functions": `
    a: FUNCTION LOAD "${LIBRARY}"
    a: FCALL f 1 k v
    a: FCALL r 1 k
    a: FCALL_RO r 1 k
    a: FCALL_RO f 1 k v
    a: FCALL f 1
    a: EVAL "#!lua flags=no-writes\\nreturn redis.call('get','k')" 0
    a: EVAL "#!lua flags=no-writes\\nreturn redis.call('get','k')" 0`,
};

for (const [name, lines] of Object.entries(COUNTED)) {
  const text = `
    a: FLUSHALL
    a: FUNCTION FLUSH
    a: CONFIG RESETSTAT
    ${lines}
    a: INFO commandstats
    a: INFO errorstats
    a: INFO stats`;
  test(`INFO counts ${name}`, async () => {
    for (const port of [trio.balsa.port, ...trio.ports]) {
      await compareConversations([port], trio.redis.port, text, mask);
    }
  });
}

test("what scripts call is not counted where they are only applied, nor read again", async () => {
  const clients = await Promise.all(trio.ports.map((port) => RespClient.open(port)));
  const [asked, ...others] = clients;
  for (const client of clients) await client.command("CONFIG", "RESETSTAT");
  await asked.command("FLUSHALL");
  await asked.command("EVAL", "redis.call('incr','n') return redis.pcall('nosuch')", "0");
  for (const client of others) {
    expect(await client.command("GET", "n")).toBe("1");
    expect(await client.command("INFO", "commandstats")).not.toMatch(/cmdstat_(incr|eval)/);
    expect(await client.command("INFO", "errorstats")).not.toContain("errorstat_");
  }
  expect(await asked.command("INFO", "commandstats")).toContain("cmdstat_incr:calls=1,");
  expect(await asked.command("INFO", "errorstats")).toContain("errorstat_ERR:count=1");
  for (const client of clients) client.close();
  const [node] = trio.cluster.nodes;
  await node.kill9();
  node.start();
  await until(async () => await node.info() !== undefined, "a node to listen", 60_000);
  const again = await RespClient.open(node.port);
  await until(async () => await again.command("GET", "n") === "1", "the state", 60_000);
  expect(await again.command("INFO", "commandstats")).not.toContain("cmdstat_incr");
  again.close();
}, 60_000);

test("a script that reads what has expired and so runs again is counted once", async () => {
  const client = await RespClient.open(trio.balsa.port);
  await client.command("DEBUG", "SET-ACTIVE-EXPIRE", "0");
  await client.command("SET", "due", "1", "PX", "20");
  await Bun.sleep(60);
  await client.command("CONFIG", "RESETSTAT");
  const script = "redis.call('type','due') return redis.call('get','due')";
  expect(await client.command("EVAL_RO", script, "0")).toBeNull();
  const stats = await client.command("INFO", "commandstats");
  expect(stats).toContain("cmdstat_get:calls=1,");
  expect(stats).toContain("cmdstat_type:calls=1,");
  await client.command("DEBUG", "SET-ACTIVE-EXPIRE", "1");
  client.close();
});
