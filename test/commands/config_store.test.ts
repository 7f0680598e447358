import { expect, test } from "bun:test";
import { ConfigStore } from "../../src/commands/config_store.ts";

test("ConfigStore starts from defaults and what it is given", () => {
  const store = new ConfigStore({ port: "7000", "proto-max-bulk-len": "2mb" });
  expect(store.number("port")).toBe(7000);
  expect(store.number("proto-max-bulk-len")).toBe(2 * 1024 * 1024);
  expect(store.number("client-query-buffer-limit")).toBe(1024 ** 3);
  expect(store.flag("appendonly")).toBe(true);
  expect(store.text("appendfsync")).toBe("always");
  expect(() => new ConfigStore({ nosuch: "1" })).toThrow("no parameter nosuch");
  expect(() => new ConfigStore({ maxclients: "0" })).toThrow("Invalid maxclients 0");
});

test("ConfigStore.set takes all or none", () => {
  const store = new ConfigStore();
  const changes: string[] = [];
  store.onChange((name, value) => changes.push(`${name}=${value}`));
  expect(store.set([["timeout", "5"], ["maxclients", "x"]])?.text).toContain("maxclients");
  expect(store.number("timeout")).toBe(0);
  expect(changes).toEqual([]);
  expect(store.set([["TIMEOUT", "5"], ["maxclients", "10000"], ["save", ""]])).toBeUndefined();
  expect(store.number("timeout")).toBe(5);
  // Only what changed is told.
  expect(changes).toEqual(["timeout=5"]);
});

test("ConfigStore.set refuses what a node never does", () => {
  const store = new ConfigStore();
  const why = (name: string, value: string) => store.set([[name, value]])?.text;
  const prefix = (name: string) =>
    `ERR CONFIG SET failed (possibly related to argument '${name}') - `;
  expect(why("appendonly", "no")).toBe(prefix("appendonly") + "only 'yes' is supported");
  expect(why("appendfsync", "no")).toBe(prefix("appendfsync") + "only 'always' is supported");
  expect(why("save", "900 1")).toBe(prefix("save") + "only '' is supported");
  expect(why("maxmemory-policy", "allkeys-lru"))
    .toBe(prefix("maxmemory-policy") + "only 'noeviction' is supported");
  expect(why("port", "1")).toBe(prefix("port") + "can't set immutable config");
  // As Redis, where these two can be set.
  expect(why("port", "6379")).toBeUndefined();
  expect(why("databases", "16")).toBe(prefix("databases") + "can't set immutable config");
});

test("ConfigStore.get matches globs in any case, aliases too", () => {
  const store = new ConfigStore();
  const names = (pattern: string) => store.get(pattern).map(([name]) => name);
  expect(names("HASH-*-entries")).toEqual([
    "hash-max-listpack-entries",
    "hash-max-ziplist-entries",
  ]);
  expect(names("MaxClients")).toEqual(["MaxClients"]);
  expect(names("nosuch")).toEqual([]);
  expect(names("*").length).toBeGreaterThan(40);
  store.set([["hash-max-ziplist-entries", "7"]]);
  expect(store.get("hash-max-listpack-entries")).toEqual([["hash-max-listpack-entries", "7"]]);
});
