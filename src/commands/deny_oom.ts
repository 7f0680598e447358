import type { Bytes } from "../base/bytes.ts";

/** What Redis flags DENYOOM: commands that add data, refused while there is more than maxmemory. */
export const ADDS_DATA: ReadonlySet<Bytes> = new Set(
  ("append bitfield bitop blmove brpoplpush copy decr decrby geoadd georadius georadiusbymember " +
    "geosearchstore getset hincrby hincrbyfloat hmset hset hsetex hsetnx incr incrby incrbyfloat " +
    "linsert lmove lpush lpushx lset mset msetnx pfadd pfmerge psetex restore rpoplpush rpush " +
    "rpushx sadd sdiffstore set setbit setex setnx setrange sinterstore sort sunionstore xadd " +
    "xgroup|create xgroup|createconsumer xsetid zadd zdiffstore zincrby zinterstore zrangestore " +
    "zunionstore function|load function|restore").split(" "),
);
