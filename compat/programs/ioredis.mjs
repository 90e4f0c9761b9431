// ioredis: the client of many Node programs.
import Redis from "ioredis";
import assert from "node:assert/strict";
import { run } from "./scenarios.mjs";

const url = process.argv[2];

await run(url, {
  async commands() {
    const redis = new Redis(url);
    assert.equal(await redis.set("k", "v", "EX", 60), "OK");
    assert.equal(await redis.get("k"), "v");
    assert.equal(await redis.hset("h", { a: 1, b: 2 }), 2);
    assert.deepEqual(await redis.hgetall("h"), { a: "1", b: "2" });
    await redis.zadd("z", 1, "one", 2, "two");
    assert.deepEqual(await redis.zrange("z", 0, -1, "WITHSCORES"), ["one", "1", "two", "2"]);
    await assert.rejects(redis.incr("h"), /WRONGTYPE/);
    await redis.quit();
  },
  async pipeline_and_transaction() {
    const redis = new Redis(url);
    assert.deepEqual(await redis.pipeline().set("a", 1).incr("a").get("none").exec(), [[null, "OK"], [null, 2], [null, null]]);
    assert.deepEqual(await redis.multi().set("b", 1).incrby("b", 5).exec(), [[null, "OK"], [null, 6]]);
    const other = new Redis(url);
    await redis.watch("b");
    await other.set("b", 0);
    assert.equal(await redis.multi().incr("b").exec(), null);
    await other.quit();
    await redis.quit();
  },
  async publish_and_subscribe() {
    const subscriber = new Redis(url);
    const publisher = new Redis(url);
    const received = new Promise((resolve) => subscriber.on("message", (channel, text) => resolve([channel, text])));
    await subscriber.subscribe("news");
    assert.equal(await publisher.publish("news", "hello"), 1);
    assert.deepEqual(await received, ["news", "hello"]);
    await subscriber.quit();
    await publisher.quit();
  },
  async client_side_cache() {
    const [redis, subscriber, other] = [1, 2, 3].map(() => new Redis(url, { protocol: 2 })); // in RESP3 it ignores pushes
    const target = await subscriber.client("ID");
    const cache = new Map();
    let told = () => {};
    subscriber.on("message", (channel, keys) => {
      assert.equal(channel, "__redis__:invalidate");
      if (keys === "") cache.clear(); // ioredis makes a text of the array, and of null
      else cache.delete(keys);
      told();
    });
    await subscriber.subscribe("__redis__:invalidate");
    await redis.client("TRACKING", "ON", "REDIRECT", target);
    for (let number = 0; number < 20; number++) {
      await other.set("cached", number);
      cache.set("cached", await redis.get("cached"));
      assert.equal(cache.get("cached"), `${number}`);
      const changed = new Promise((resolve) => (told = resolve));
      await other.set("cached", "changed");
      await changed;
      assert.equal(cache.size, 0);
    }
    await redis.get("cached");
    const flushed = new Promise((resolve) => (told = resolve));
    await other.flushall();
    await flushed;
    for (const client of [redis, subscriber, other]) client.disconnect();
  },
  async scan_stream() {
    const redis = new Redis(url);
    const pipeline = redis.pipeline();
    for (let number = 0; number < 500; number++) pipeline.set(`key:${number}`, number);
    await pipeline.exec();
    const found = new Set();
    for await (const keys of redis.scanStream({ match: "key:*", count: 50 })) keys.forEach((key) => found.add(key));
    assert.equal(found.size, 500);
    await redis.quit();
  },
});
