import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Bytes } from "../../src/base/bytes.ts";
import { RealRedis } from "../compat/real_redis.ts";
import { FakeNode } from "./fake_views.ts";

let redis: RealRedis;

beforeAll(async () => {
  redis = await RealRedis.start("--enable-debug-command", "yes");
});
afterAll(() => redis.stop());

/** One request a line; "_" stands for a blank, "\\0" and the like for what they say. */
function requests(text: string): readonly (readonly Bytes[])[] {
  return text.trim().split("\n").map((line) =>
    line.trim().split(" ").map((word) =>
      word.replaceAll("_", " ").replaceAll("\\0", "\0").replaceAll("\\r", "\r")
        .replaceAll("\\n", "\n").replaceAll("''", "")
    )
  );
}

/** Sends each request to redis-server and to ours, on fresh connections of both protocols. */
async function expectSameReplies(text: string): Promise<void> {
  const differences: unknown[] = [];
  for (const protocol of [2, 3] as const) {
    for (const argv of requests(text)) {
      const real = await redis.connect();
      const node = new FakeNode();
      const client = node.connect();
      if (protocol === 3) await real.send(["HELLO", "3"]);
      client.protocol = protocol;
      const expected = await real.send(argv);
      const actual = await node.runRaw(client, argv);
      if (actual !== expected) differences.push({ argv, protocol, expected, actual });
      real.close();
    }
  }
  expect(differences).toEqual([]);
}

test("unknown commands and wrong arities", () =>
  expectSameReplies(`
    foo
    foo a b
    FOO a\\r\\nb ${"x".repeat(200)}
    foo ${"x".repeat(100)} ${"y".repeat(100)} z
    foo ${"x".repeat(124)} b c
    foo ${"x".repeat(125)} b c
    foo ${"x".repeat(126)} b c
    foo a\\0b c
    f\\0oo a
    ${"n".repeat(300)} a
    '' a
    client
    client foo
    CLIENT f\\r\\noo bar
    client ${"s".repeat(200)}
    client kill
    client id x
    config
    config get
    command getkeys
    echo
    echo a b
    select
    object
    object foo
    object freq
    acl
    slowlog foo
    memory foo
    latency foo
    debug
    time x
    role x
    auth
    save x
    wait 1
    set a
    mget
  `));

test("PING ECHO SELECT AUTH HELLO QUIT RESET", () =>
  expectSameReplies(`
    ping
    PING hello
    ping a b
    echo hello
    select 0
    select 15
    select 16
    select -1
    select a
    select 1.0
    select 01
    select 99999999999
    select 99999999999999999999
    auth x
    auth default x
    auth default
    auth other x
    auth a b c
    auth a b c d
    hello 1
    hello 4
    hello a
    hello 2x
    hello 99999999999999999999
    hello 2 foo
    hello 2 f\\roo
    hello 2 auth
    hello 2 auth a
    hello 2 auth a b
    hello 3 auth a b foo
    hello 2 setname
    hello 2 setname a_b
    hello 3 setname a auth x y
    hello 3 setname a\\n auth default y
    quit
    quit now
    reset
    reset a
  `));

test("CLIENT", () =>
  expectSameReplies(`
    client getname
    client setname a
    client setname a_b
    client setname ''
    client setname é
    client list foo
    client list type
    client list type foo
    client list type f\\roo
    client list type master
    client list type slave
    client list type replica
    client list type pubsub
    client list type normal x
    client list id
    client list id a
    client list id 1000000
    client list id 1000000 a
    client list foo a
    client list foo a b
    client info x
    client kill a
    client kill 127.0.0.1:1
    client kill id
    client kill id a
    client kill id 0
    client kill id -1
    client kill id 1.5
    client kill id 1000000
    client kill id 99999999999999999999
    client kill id 1000000 id
    client kill type foo
    client kill type master
    client kill type pubsub
    client kill user foo
    client kill user default id 1000000
    client kill addr x
    client kill laddr x
    client kill skipme foo
    client kill skipme yes addr x
    client kill skipme no addr x
    client kill foo bar
    client kill id 0 foo bar
    client kill a b c
    client no-evict on
    client no-evict OFF
    client no-evict foo
    client no-evict
    client reply foo
    client reply on
    client unpause
    client unpause x
    client pause a
    client pause -1
    client pause 1 foo
    client pause a foo
    client pause 0
    client pause 0 write
    client pause 99999999999999999999
    client unblock a
    client unblock 1000000
    client unblock 1000000 foo
    client unblock a foo
    client unblock 1000000 timeout
    client unblock 1000000 error x
    client getredir
    client trackinginfo
    client trackinginfo x
    client help x
  `));

test("CONFIG", () =>
  expectSameReplies(`
    config get nosuch
    config get maxclients
    config get MaxClients
    config get maxclients MAXCLIENTS
    config get maxclients nosuch
    config get proto-max-bulk-len
    config get hash-max-ziplist-entries
    config get maxmemory-policy
    config set
    config set a
    config set foo bar
    config set f\\roo bar
    config set foo bar maxclients
    config set maxclients 0
    config set maxclients a
    config set maxclients ''
    config set maxclients 4294967296
    config set maxclients 1gb
    config set client-output-buffer-limit wrong_number
    config set client-output-buffer-limit invalid_10mb_10mb_60
    config set client-output-buffer-limit master_10mb_10mb_60
    config set client-output-buffer-limit normal_10mbs_10mb_60
    config set client-output-buffer-limit pubsub_10mb_10mb_60s
    config get client-output-buffer-limit
    config get latency-tracking-info-percentiles
    config set latency-tracking-info-percentiles 10.0_50.0_a
    config set latency-tracking-info-percentiles 10.0_101
    config set MAXCLIENTS a
    config set maxclients 100 maxclients 200
    config set maxclients 100 MaxClients 200
    config set maxclients 100 foo bar
    config set foo bar databases 5
    config set databases 5 foo bar
    config set databases 5 maxclients a
    config set maxclients 100 timeout a
    config set databases 5
    config set databases 16
    config set daemonize yes
    config get daemonize
    config get replicaof
    config get slaveof
    config set timeout -1
    config set timeout 2147483648
    config set timeout 9223372036854775808
    config set timeout 01
    config set timeout +1
    config set loglevel foo
    config set loglevel NOTICE
    config set maxmemory 1xb
    config set maxmemory -1
    config set maxmemory ''
    config set maxmemory b
    config set maxmemory 1constructor
    config set constructor 1
    config get constructor
    config set maxmemory 1.5gb
    config set maxmemory-policy foo
    config set maxmemory-policy noeviction
    config set proto-max-bulk-len 1
    config set proto-max-bulk-len 1k
    config set client-query-buffer-limit 1
    config set notify-keyspace-events X
    config set notify-keyspace-events KEAX
    config set slowlog-log-slower-than -2
    config set slowlog-log-slower-than 99999999999999999999
    config set slowlog-max-len -1
    config set latency-monitor-threshold -1
    config set lazyfree-lazy-expire maybe
    config set lazyfree-lazy-expire YES
    config set appendonly maybe
    config set appendfsync maybe
    config set save ''
    config set tcp-keepalive -1
    config set hash-max-ziplist-entries 512 hash-max-listpack-entries 512
    config set hash-max-ziplist-entries 512
    config set hash-max-listpack-entries -1
    config set hash-max-listpack-value -1
    config set hash-max-listpack-value 64b
    config set list-max-listpack-size 999999999999
    config set list-max-ziplist-size a
    config set list-compress-depth -1
    config set set-max-intset-entries -1
    config set zset-max-ziplist-entries -1
    config set zset-max-ziplist-value x
    config set stream-node-max-bytes x
    config set stream-node-max-entries -1
    config set hll-sparse-max-bytes x
    config rewrite
    config resetstat
    config help
  `));

test("CONFIG SET notify-keyspace-events is told in Redis's order", async () => {
  const real = await redis.connect();
  const node = new FakeNode();
  const client = node.connect();
  const names = ["KEA", "AKE", "Ex", "xE", "mKg$", "Kn", "nmA", "g$lshzxet", "dtexzhsl$gEKnm", ""];
  for (const classes of names) {
    const set = ["CONFIG", "SET", "notify-keyspace-events", classes];
    const get = ["CONFIG", "GET", "notify-keyspace-events"];
    expect(await node.runRaw(client, set)).toBe(await real.send(set) ?? "");
    expect(await node.runRaw(client, get)).toBe(await real.send(get) ?? "");
  }
  real.close();
});

test("SLOWLOG LATENCY MEMORY", () =>
  expectSameReplies(`
    slowlog get a
    slowlog get -2
    slowlog get 0
    slowlog get 1 2
    slowlog reset
    slowlog help
    latency doctor
    latency latest
    latency history a
    latency history
    latency graph a
    latency graph a\\nb
    latency reset
    latency reset a b
    latency histogram nosuch
    latency help
    memory purge
    memory help
    memory doctor x
  `));

test("DEBUG", () =>
  expectSameReplies(`
    debug foo
    debug sleep
    debug sleep 0
    debug sleep a
    debug set-active-expire
    debug set-active-expire 1
    debug error foo
    debug error ERR_a\\r\\nb
    debug protocol string
    debug protocol integer
    debug protocol double
    debug protocol null
    debug protocol array
    debug protocol set
    debug protocol map
    debug protocol verbatim
    debug protocol true
    debug protocol false
    debug protocol bignum
    debug protocol foo
    debug jmap
  `));

test("DEBUG PROTOCOL attrib and push: what RESP3 tells with a reply, then the reply", async () => {
  for (const protocol of [2, 3] as const) {
    for (const type of ["attrib", "push"]) {
      const real = await redis.connect();
      if (protocol === 3) await real.send(["HELLO", "3"]);
      const argv = ["DEBUG", "PROTOCOL", type];
      let expected = await real.send(argv);
      if (protocol === 3) expected += String(await real.next());
      real.close();
      const node = new FakeNode();
      const client = node.connect();
      client.protocol = protocol;
      expect(await node.runRaw(client, argv)).toBe(String(expected));
    }
  }
});

test("COMMAND GETKEYS and its errors", () =>
  expectSameReplies(`
    command foo
    command count x
    command getkeys get a
    command getkeys GET a
    command getkeys get
    command getkeys get a b
    command getkeys ping a
    command getkeys foo a
    command getkeys client foo
    command getkeys client id x
    command getkeys object encoding a
    command getkeys object encoding
    command getkeys object encoding a b
    command getkeys memory usage a
    command getkeys mset a b c d
    command getkeys mset a b c
    command getkeys mget a b c
    command list foo bar x
    command getkeys lcs a b len
    command getkeys del a b
    command getkeysandflags set a b
    command getkeysandflags set a b get
    command getkeysandflags set a b ex 10 GET
    command getkeysandflags mset a b c d
    command getkeysandflags rename a b
    command getkeysandflags copy a b replace
    command getkeysandflags getdel a
    command getkeysandflags incr a
    command getkeysandflags ping x
    command getkeys zadd a 1 b
    command getkeys zunion 2 a b
    command getkeys zunion 3 a b
    command getkeys zunion x a b
    command getkeys zunion 0 a b
    command getkeys zinter 2 a b weights 1 2
    command getkeys zdiff 1 a withscores
    command getkeys zintercard 2 a b limit 1
    command getkeys zunionstore d 2 a b
    command getkeys zinterstore d 1 a weights 2
    command getkeys zdiffstore d 2 a b
    command getkeys zrangestore d a 0 1
    command getkeys zmpop 2 a b min
    command getkeys bzmpop 0 2 a b min
    command getkeys bzpopmin a b 0
    command getkeys bzpopmax a 0
    command getkeys georadius a 1 2 3 km
    command getkeys georadius a 1 2 3 km store b
    command getkeys georadius a 1 2 3 km storedist b
    command getkeys georadiusbymember a m 3 km store b
    command getkeys georadius_ro a 1 2 3 km
    command getkeys geosearch a frommember b byradius 1 m
    command getkeys geosearchstore d a frommember b byradius 1 m
    command getkeys geoadd a 1 2 m
    command getkeys dump a
    command getkeys restore a 0 x
    command getkeysandflags zadd a 1 b
    command getkeysandflags zunion 2 a b
    command getkeysandflags zunion 3 a b
    command getkeysandflags zunion x a b
    command getkeysandflags zunion 0 a b
    command getkeysandflags zinter 2 a b weights 1 2
    command getkeysandflags zdiff 1 a withscores
    command getkeysandflags zintercard 2 a b limit 1
    command getkeysandflags zunionstore d 2 a b
    command getkeysandflags zinterstore d 1 a weights 2
    command getkeysandflags zdiffstore d 2 a b
    command getkeysandflags zrangestore d a 0 1
    command getkeysandflags zmpop 2 a b min
    command getkeysandflags bzmpop 0 2 a b min
    command getkeysandflags bzpopmin a b 0
    command getkeysandflags bzpopmax a 0
    command getkeysandflags georadius a 1 2 3 km
    command getkeysandflags georadius a 1 2 3 km store b
    command getkeysandflags georadius a 1 2 3 km storedist b
    command getkeysandflags georadiusbymember a m 3 km store b
    command getkeysandflags georadius_ro a 1 2 3 km
    command getkeysandflags geosearch a frommember b byradius 1 m
    command getkeysandflags geosearchstore d a frommember b byradius 1 m
    command getkeysandflags geoadd a 1 2 m
    command getkeysandflags dump a
    command getkeysandflags restore a 0 x
    command info nosuch client|foo a|b|c
    command docs nosuch
    command docs client|foo|bar
    command list foo
    command list filterby
    command list filterby foo a
    command list filterby module a
    command list filterby aclcat foo
    command list filterby aclcat @read
    command list filterby pattern get*|x
    command list filterby pattern a b
    command help
    command help x
  `));

test("the rest of the server group", () =>
  expectSameReplies(`
    lolwut version a
    wait a 1
    wait 0 a
    wait 0 -1
    wait a -1
    wait -1 0
    wait 0 1
    role
    save
    bgsave foo
    bgsave schedule foo
    failover
    replicaof no one
    slaveof NO ONE
    shutdown foo
    shutdown abort
    shutdown abort nosave
    shutdown save nosave
    shutdown now abort
    info nosuch
    acl whoami
    acl users
    acl list
    acl cat
    acl cat foo
    acl getuser default
    acl getuser foo
    acl cat read x
  `));
