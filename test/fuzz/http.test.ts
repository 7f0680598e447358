import { expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { makeHttpApp } from "../../src/listeners/http_listener.ts";
import { parseCommand, parsePipeline } from "../../src/listeners/http_json.ts";
import { fakeExecutor } from "../listeners/http_fake_app.ts";
import { anyBytes, damaged, holds, holdsAsync } from "./fuzz.ts";

const BODY_BYTES_MAX = 5000;
const app = makeHttpApp(fakeExecutor({ reason: "" }), {
  tokens: [],
  bodyBytesMax: BODY_BYTES_MAX,
});

const bodies = fc.oneof(
  anyBytes(),
  fc.json().map((text) => Buffer.from(text)),
  damaged(Buffer.from('[["SET","k",1.5,true,null],["GET","\\u0000"]]')),
  fc.nat({ max: 2000 }).map((depth) => Buffer.from("[".repeat(depth) + "]".repeat(depth))),
  fc.nat({ max: 9000 }).map((bytes) => Buffer.alloc(bytes, "[1,")),
);

test("JSON bodies: commands or a problem", () => {
  holds(bodies, (body) => {
    parseCommand(body);
    parsePipeline(body);
  });
});

const path = fc.oneof(
  fc.constantFrom("/", "/pipeline", "/multi-exec", "/get/k", "/set/k", "//", "/%", "/%zz", "/%00"),
  fc.webPath(),
  fc.string({ maxLength: 20 }).map((text) => `/${encodeURIComponent(text.toWellFormed())}`),
);
const requests = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"),
  path,
  query: fc.oneof(fc.constant(""), fc.webQueryParameters().map((text) => `?${text}`)),
  body: bodies,
  header: fc.constantFrom("Balsa-Consistency", "Upstash-Encoding", "Idempotency-Key", "Accept"),
  value: fc.string({ unit: fc.constantFrom(..."abz019-,;=*/ "), maxLength: 20 }),
});

test("HTTP requests: an answer of JSON or bytes, never an internal error", async () => {
  await holdsAsync(requests, async ({ method, path, query, body, header, value }) => {
    const hasBody = method === "POST" || method === "PUT" || method === "DELETE";
    const request = new Request(`http://x${path}${query}`, {
      method,
      headers: { [header]: value },
      body: hasBody ? new Uint8Array(body) : undefined,
    });
    const response = await app.fetch(request);
    expect(response.status).toBeLessThan(500);
    const text = await response.text();
    if (method === "HEAD" || text === "") return;
    const isJson = response.headers.get("content-type")?.includes("json") ?? false;
    if (isJson) expect(() => JSON.parse(text)).not.toThrow();
  });
});
