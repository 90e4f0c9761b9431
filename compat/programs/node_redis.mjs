// node-redis: the client that Redis recommends, over RESP3.
import { createClient } from "redis";
import assert from "node:assert/strict";
import { run } from "./scenarios.mjs";

const url = process.argv[2];

async function connected(options = {}) {
  const client = createClient({ url, ...options });
  client.on("error", () => {});
  await client.connect();
  return client;
}

await run(url, {
  async commands() {
    const client = await connected();
    await client.set("k", "v", { EX: 60 });
    assert.equal(await client.get("k"), "v");
    await client.hSet("h", { a: "1", b: "2" });
    assert.deepEqual({ ...(await client.hGetAll("h")) }, { a: "1", b: "2" });
    await client.zAdd("z", [{ score: 1.5, value: "one" }, { score: 2, value: "two" }]);
    assert.deepEqual((await client.zRangeWithScores("z", 0, -1)).map((item) => ({ ...item })), [
      { value: "one", score: 1.5 },
      { value: "two", score: 2 },
    ]);
    await assert.rejects(client.incr("h"), /WRONGTYPE/);
    client.destroy();
  },
  async resp3() {
    const client = await connected({ RESP: 3 });
    await client.sAdd("s", ["a", "b"]);
    assert.equal((await client.sMembers("s")).length, 2);
    await client.hSet("h", "f", "v");
    assert.equal((await client.hGetAll("h")).f, "v");
    client.destroy();
  },
  async transaction() {
    const client = await connected();
    assert.deepEqual(await client.multi().set("a", "1").incr("a").exec(), ["OK", 2]);
    const other = await connected();
    await client.watch("a");
    await other.set("a", "9");
    await assert.rejects(client.multi().incr("a").exec(), /watched/i);
    other.destroy();
    client.destroy();
  },
  async publish_and_subscribe() {
    const subscriber = await connected();
    const publisher = await connected();
    let deliver;
    const received = new Promise((resolve) => (deliver = resolve));
    await subscriber.pSubscribe("ne*", (text, channel) => deliver([channel, text]));
    await publisher.publish("news", "hello");
    assert.deepEqual(await received, ["news", "hello"]);
    subscriber.destroy();
    publisher.destroy();
  },
  async scan() {
    const client = await connected();
    await client.mSet(Object.fromEntries(Array.from({ length: 300 }, (_, number) => [`k${number}`, "v"])));
    const found = new Set();
    for await (const keys of client.scanIterator({ MATCH: "k*", COUNT: 20 })) [keys].flat().forEach((key) => found.add(key));
    assert.equal(found.size, 300);
    client.destroy();
  },
});
