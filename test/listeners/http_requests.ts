import { BODY_BYTES_MAX } from "./http_fake_app.ts";
import type { RawRequest } from "./http_raw_client.ts";

/** A request to a server of http_fake_app.ts, sent with its token unless `anonymous`. */
export interface RequestRow extends RawRequest {
  readonly anonymous?: boolean;
  /** Node's own parser refuses it. */
  readonly onBunOnly?: boolean;
  /** 200 when absent. */
  readonly status?: number;
  /** The argument list that must reach the executor; the request then asks for base64. */
  readonly argv?: readonly string[];
  /** The body as JSON. */
  readonly json?: unknown;
  /** The body as it is; chars are bytes. */
  readonly text?: string;
  /** Part of the `error` member of a JSON body. */
  readonly error?: string;
}

const BASE64 = { "Upstash-Encoding": "base64" };
const RESP2 = { "Upstash-Response-Format": "resp2" };
const post = (target: string, body: string) => ({ method: "POST", target, body });

const PATHS: readonly RequestRow[] = [
  { target: "/get/foo", argv: ["get", "foo"] },
  { target: "/get/foo/", argv: ["get", "foo"] },
  { target: "/set/foo//", argv: ["set", "foo", ""] },
  { target: "/mget/a//b", argv: ["mget", "a", "", "b"] },
  { target: "/set/a%2Fb/%00%ff%25", argv: ["set", "a/b", "\0\xff%"] },
  { target: "/set/a+b/c%2Bd", argv: ["set", "a+b", "c+d"] },
  { target: "/get/h%C3%A9", argv: ["get", "h\xc3\xa9"] },
  { target: "/get/h\xc3\xa9", argv: ["get", "h\xc3\xa9"], onBunOnly: true },
  { target: "/g%65t/x", argv: ["get", "x"] },
  { target: "/get/%zz", status: 400, error: "malformed percent-encoding" },
  { target: "/get/%", status: 400, error: "malformed percent-encoding" },
  { target: "/get/%4", status: 400, error: "malformed percent-encoding" },
  { target: "/get/a#b", status: 400, error: "'#'" },
  { target: "/set/foo/bar?EX=100", argv: ["set", "foo", "bar", "EX", "100"] },
  { target: "/set/foo/bar?NX&EX=100&&GET", argv: ["set", "foo", "bar", "NX", "EX", "100", "GET"] },
  { target: "/echo/x?a+b=%2B+%00", argv: ["echo", "x", "a b", "+ \0"] },
  { target: "/echo/x?a=b=c&=d&e=", argv: ["echo", "x", "a", "b=c", "", "d", "e", ""] },
  { target: "/echo/x?_token=s3cret/token&a", argv: ["echo", "x", "a"] },
  { target: "/echo/x?a=%f", status: 400, error: "malformed percent-encoding in the query" },
  { target: "/", status: 404, error: "no command" },
  { target: "//", status: 404, error: "no command" },
  { target: "/?x", status: 404, error: "no command" },
];

const BODIES: readonly RequestRow[] = [
  { ...post("/set/foo", "bar"), argv: ["set", "foo", "bar"] },
  { method: "PUT", target: "/set/foo", body: "bar", argv: ["set", "foo", "bar"] },
  { ...post("/set/foo?EX=5", "a\0\r\n\xff"), argv: ["set", "foo", "a\0\r\n\xff", "EX", "5"] },
  { ...post("/set/foo", '"x"'), argv: ["set", "foo", '"x"'] },
  { ...post("/publish/chat/hello", ""), argv: ["publish", "chat", "hello"] },
  { method: "POST", target: "/incr/n", argv: ["incr", "n"] },
  { ...post("/set/foo", "chunk\xff"), chunked: true, argv: ["set", "foo", "chunk\xff"] },
  { ...post("/set/foo/", ""), chunked: true, argv: ["set", "foo"] },
  { ...post("/strlen", "x".repeat(BODY_BYTES_MAX)), argv: ["strlen", "x".repeat(BODY_BYTES_MAX)] },
  { ...post("/set/foo", "x".repeat(BODY_BYTES_MAX + 1)), status: 413, error: "max request size" },
  {
    ...post("/set/foo", "x".repeat(BODY_BYTES_MAX + 1)),
    chunked: true,
    status: 413,
    error: "max request size",
  },
  { ...post("/", "x".repeat(BODY_BYTES_MAX + 1)), status: 413, error: "max request size" },
];

const JSON_FORMS: readonly RequestRow[] = [
  { ...post("/", '["SET","k","v"]'), argv: ["SET", "k", "v"] },
  { ...post("/?ignored=1", ' [ "GET" , "" ] '), argv: ["GET", ""] },
  { ...post("/", '["a","h\\u00e9","h\xc3\xa9\\u0000"]'), argv: ["a", "h\xc3\xa9", "h\xc3\xa9\0"] },
  {
    ...post("/", '["a",1.0,-0,1e3,12345678901234567890,true,false]'),
    argv: ["a", "1.0", "-0", "1e3", "12345678901234567890", "true", "false"],
  },
  {
    method: "POST",
    target: "/",
    body: '["GET","k"]',
    headers: { "Content-Type": "text/plain" },
    argv: ["GET", "k"],
  },
  { ...post("/", '["GET","k"]'), chunked: true, argv: ["GET", "k"] },
  { ...post("/", ""), status: 400, error: "the body is empty" },
  { method: "POST", target: "/", status: 400, error: "the body is empty" },
  { ...post("/", '["GET","k"'), status: 400, error: "ERR failed to parse command" },
  { ...post("/", '["GET","\xff"]'), status: 400, error: "ERR failed to parse command" },
  { ...post("/", "[".repeat(50_000)), status: 400, error: "nested deeper than 16 levels" },
  {
    ...post("/", '["a","[[[[[[[[[[[[[[[[[[[[\\"[[","\\\\"]'),
    argv: ["a", "[".repeat(20) + '"[[', "\\"],
  },
  { ...post("/", '{"a":1}'), status: 400, error: "expected JSON array, got an object" },
  { ...post("/", '"GET"'), status: 400, error: "expected JSON array, got a string" },
  { ...post("/", "7"), status: 400, error: "expected JSON array, got a number" },
  { ...post("/", "null"), status: 400, error: "expected JSON array, got null" },
  { ...post("/", "[]"), status: 400, error: "ERR empty command" },
  {
    ...post("/", '["SET","a",null]'),
    status: 400,
    error: "ERR null args are not supported at [2]",
  },
  {
    ...post("/", '["SET",["a"]]'),
    status: 400,
    error: 'ERR unsupported arg type: "[": json.Delim at [1]',
  },
  {
    ...post("/", '["SET",1,{"a":1}]'),
    status: 400,
    error: 'ERR unsupported arg type: "{": json.Delim at [2]',
  },
];

const PIPELINES: readonly RequestRow[] = [
  {
    ...post("/pipeline", '[["ok"],["wrongtype"],["MULTI"],["GET",1.50]]'),
    json: [
      { result: "OK" },
      { error: "WRONGTYPE Operation against a key holding the wrong kind of value" },
      { error: 'ERR Command "MULTI" is not allowed in REST or it has a special context path' },
      { result: ["GET", "1.50"] },
    ],
  },
  {
    ...post("/pipeline", '[["ok"],["pong"],["nested"]]'),
    headers: BASE64,
    json: [{ result: "OK" }, { result: "UE9ORw==" }, {
      result: ["T0s=", ["T0s=", [null, -1], []], "RVJSIGluc2lkZQ=="],
    }],
  },
  {
    ...post("/pipeline", '[["ok"],["nil"],["wrongtype"],["pong"]]'),
    headers: RESP2,
    text: "+OK\r\n$-1\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n" +
      "+PONG\r\n",
  },
  { ...post("/pipeline", "[]"), status: 400, error: "ERR empty pipeline request" },
  { ...post("/pipeline", '[["GET","a"],[]]'), status: 400, error: "ERR empty command at [1]" },
  { ...post("/pipeline", '["GET","a"]'), status: 400, error: "got a string at [0]" },
  {
    ...post("/pipeline", '[["GET","a"],["SET",1,null]]'),
    status: 400,
    error: "ERR null args are not supported at [1][2]",
  },
  { target: "/pipeline", status: 405, error: "use POST" },
  { ...post("/pipeline/", '[["ok"]]'), json: [{ result: "OK" }] },
  { target: "/health/", json: { status: "ok" } },
];

const REPLIES: readonly RequestRow[] = [
  { target: "/ok", json: { result: "OK" } },
  { target: "/ok", headers: BASE64, json: { result: "OK" } },
  { target: "/pong", headers: BASE64, json: { result: "UE9ORw==" } },
  { target: "/nil", json: { result: null } },
  { target: "/nilarray", json: { result: null } },
  { target: "/integer", headers: BASE64, json: { result: 42 } },
  { target: "/largest", json: { result: "9007199254740992" } },
  { target: "/smallest", headers: BASE64, json: { result: btoa("-9223372036854775808") } },
  { target: "/double", json: { result: "1.5" } },
  { target: "/boolean", json: { result: 1 } },
  { target: "/map", json: { result: ["field", 1, "list", ["a", null]] } },
  { target: "/fewer", json: { result: ["x", "y"] } },
  { target: "/pairs", json: { result: ["m", "2", "n", "3"] } },
  { target: "/accents", json: { result: "h\u00e9\ufffd" } },
  { target: "/accents", headers: BASE64, json: { result: btoa("h\xc3\xa9\xff") } },
  { target: "/accents", headers: RESP2, text: "$4\r\nh\xc3\xa9\xff\r\n" },
  {
    target: "/map",
    headers: { "Upstash-Reponse-Format": "RESP2" },
    text: "*4\r\n$5\r\nfield\r\n:1\r\n" +
      "$4\r\nlist\r\n*2\r\n$1\r\na\r\n$-1\r\n",
  },
  { target: "/wrongtype", status: 400, error: "WRONGTYPE Operation" },
  { target: "/wrongtype", headers: BASE64, status: 400, error: "WRONGTYPE Operation" },
  {
    target: "/wrongtype",
    headers: RESP2,
    status: 400,
    text: "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
  },
  { target: "/down", status: 503, error: "CLUSTERDOWN no leader" },
  { target: "/defect", status: 500, error: "ERR internal error" },
  { target: "/ok", headers: { ...BASE64, ...RESP2 }, status: 400, error: "cannot be used with" },
  { target: "/ok", headers: { "Upstash-Encoding": "gzip" }, status: 400, error: "gzip" },
  { target: "/ok", headers: { "Upstash-Response-Format": "resp3" }, status: 400, error: "resp3" },
];

const REFUSED: readonly RequestRow[] = [
  ...[
    "AUTH/x",
    "hello/3",
    "multi",
    "Select/1",
    "client/reply/off",
    "blpop/a/0",
    "xread/block/5/streams/s/0",
    "shutdown",
    "quit",
  ].map(
    (path): RequestRow => ({ target: `/${path}`, status: 400, error: "not allowed in REST" }),
  ),
  { target: "/client/list", argv: ["client", "list"] },
  { target: "/xread/streams/block/0", argv: ["xread", "streams", "block", "0"] },
];

const METHODS: readonly RequestRow[] = [
  { method: "HEAD", target: "/get/foo", text: "" },
  { method: "HEAD", target: "/wrongtype", status: 400, text: "" },
  { method: "DELETE", target: "/get/foo", status: 405, error: "method DELETE" },
  { method: "PATCH", target: "/", status: 405, error: "method PATCH" },
  { method: "PUT", target: "/", status: 405, error: "use POST" },
  { method: "OPTIONS", target: "/get/foo", anonymous: true, status: 204, text: "" },
  { method: "OPTIONS", target: "/", anonymous: true, status: 204, text: "" },
  { target: "/health", anonymous: true, json: { status: "ok" } },
  { method: "HEAD", target: "/health", anonymous: true, text: "" },
  { target: "/ready", anonymous: true, json: { status: "ready" } },
  { method: "HEAD", target: "/ready", anonymous: true, text: "" },
  { ...post("/health", ""), anonymous: true, status: 405, error: "use GET" },
];

const bearer = (value: string) => ({ Authorization: value });
const UNAUTHORIZED = {
  anonymous: true,
  status: 401,
  json: { error: "WRONGPASS invalid or missing auth token" },
};

const CREDENTIALS: readonly RequestRow[] = [
  { target: "/get/foo", ...UNAUTHORIZED },
  { target: "/", ...UNAUTHORIZED },
  { ...post("/pipeline", "[]"), ...UNAUTHORIZED },
  { method: "DELETE", target: "/get/foo", ...UNAUTHORIZED },
  { target: "/get/foo", headers: bearer("Bearer wrong"), ...UNAUTHORIZED },
  { target: "/get/foo", headers: bearer("Bearer s3cret/toke"), ...UNAUTHORIZED },
  { target: "/get/foo", headers: bearer("Bearer s3cret/tokens"), ...UNAUTHORIZED },
  { target: "/get/foo", headers: bearer("Bearer"), ...UNAUTHORIZED },
  { target: "/get/foo", headers: bearer("Bearer s3cret/tokens3cret/token"), ...UNAUTHORIZED },
  { target: "/get/foo?_token=wrong", headers: bearer("Bearer s3cret/token"), ...UNAUTHORIZED },
  { target: "/get/foo?_token=%", ...UNAUTHORIZED },
  { target: "/get/foo?_token", ...UNAUTHORIZED },
  {
    target: "/ok",
    anonymous: true,
    headers: bearer("bearer s3cret/token"),
    json: { result: "OK" },
  },
  { target: "/ok", anonymous: true, headers: bearer("BEARER  other"), json: { result: "OK" } },
  { target: "/ok", anonymous: true, headers: bearer("s3cret/token"), json: { result: "OK" } },
  {
    target: "/get/foo?_token=s3cret%2Ftoken&x=1",
    anonymous: true,
    headers: bearer("Bearer wrong"),
    json: { result: ["get", "foo", "x", "1"] },
  },
  {
    ...post("/?_token=other", '["GET","a"]'),
    anonymous: true,
    json: { result: ["GET", "a"] },
  },
];

export const REQUESTS: readonly RequestRow[] = [
  ...PATHS,
  ...BODIES,
  ...JSON_FORMS,
  ...PIPELINES,
  ...REPLIES,
  ...REFUSED,
  ...METHODS,
  ...CREDENTIALS,
];
