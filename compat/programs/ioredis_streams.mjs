// ioredis with streams: groups that wait (XREADGROUP BLOCK), claims (XAUTOCLAIM), trimming, scripts as commands.
import Redis from "ioredis";
import assert from "node:assert/strict";
import { eventually, helper, helped, run } from "./scenarios.mjs";

const url = process.argv[2];

const fields = (flat) => Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, n) => [flat[2 * n], flat[2 * n + 1]]));

// A consumer: reads, does `work` with each entry, acknowledges; until it is told to stop.
function consumer(name, work, options = {}) {
  const redis = new Redis(url);
  let stopped = false;
  const ended = (async () => {
    while (!stopped) {
      const reply = await redis.xreadgroup("GROUP", "workers", name, "COUNT", options.count ?? 10, "BLOCK", 100, "STREAMS", "jobs", ">");
      for (const [id, flat] of reply?.[0][1] ?? []) {
        await work(fields(flat), id);
        await redis.xack("jobs", "workers", id);
      }
    }
    await redis.quit();
  })();
  return { stop: () => ((stopped = true), ended) };
}

helper("stuck", () => {
  const redis = new Redis(url);
  consumer("stuck", async (_, id) => {
    await redis.set("stuck", id);
    await new Promise(() => {});
  }, { count: 3 });
});

await run(url, {
  async entries_and_ranges() {
    const redis = new Redis(url);
    const ids = [];
    for (let n = 0; n < 10; n++) ids.push(await redis.xadd("s", "*", "n", n));
    assert.deepEqual([...ids].sort((a, b) => a.localeCompare(b, undefined, { numeric: true })), ids);
    assert.equal(await redis.xlen("s"), 10);
    assert.deepEqual((await redis.xrange("s", ids[3], ids[5])).map(([id]) => id), ids.slice(3, 6));
    assert.deepEqual((await redis.xrevrange("s", "+", `(${ids[7]}`)).map(([id]) => id), [ids[9], ids[8]]);
    assert.equal(await redis.xadd("none", "NOMKSTREAM", "*", "a", 1), null);
    await assert.rejects(redis.xadd("s", "1-1", "a", 1), /equal or smaller/);
    assert.equal(await redis.xtrim("s", "MINID", ids[4]), 4);
    await redis.xadd("s", "MAXLEN", "~", 1000, "*", "n", 10);
    assert.equal(await redis.xlen("s"), 7);
    await redis.quit();
  },
  async wait_for_several_streams() {
    const reader = new Redis(url);
    const writer = new Redis(url);
    const waiting = reader.xread("BLOCK", 10_000, "STREAMS", "a", "b", "$", "$");
    await eventually(async () => /blocked_clients:1/.test(await writer.info("clients")));
    const id = await writer.xadd("b", "*", "said", "hello");
    assert.deepEqual(await waiting, [["b", [[id, ["said", "hello"]]]]]);
    assert.equal(await reader.xread("BLOCK", 20, "STREAMS", "a", "$"), null);
    await Promise.all([reader.quit(), writer.quit()]);
  },
  async everyone_waits_for_a_broadcast() {
    const readers = Array.from({ length: 20 }, () => new Redis(url));
    const writer = new Redis(url);
    const waiting = readers.map((reader) => reader.xread("BLOCK", 10_000, "STREAMS", "news", "$"));
    await eventually(async () => /blocked_clients:20/.test(await writer.info("clients")));
    await writer.xadd("news", "1-1", "text", "hello");
    for (const reply of await Promise.all(waiting)) assert.deepEqual(reply, [["news", [["1-1", ["text", "hello"]]]]]);
    await Promise.all([writer, ...readers].map((each) => each.quit()));
  },
  async group_shares_the_work() {
    const redis = new Redis(url);
    await redis.xgroup("CREATE", "jobs", "workers", "$", "MKSTREAM");
    const done = [];
    const consumers = ["ann", "bob", "cid"].map((name) => consumer(name, async ({ n }) => void done.push(Number(n))));
    const pipeline = redis.pipeline();
    for (let n = 0; n < 200; n++) pipeline.xadd("jobs", "*", "n", n);
    await pipeline.exec();
    await eventually(() => done.length === 200);
    await Promise.all(consumers.map((each) => each.stop()));
    assert.equal(new Set(done).size, 200);
    assert.deepEqual((await redis.xpending("jobs", "workers"))[0], 0);
    const group = fields((await redis.xinfo("GROUPS", "jobs"))[0]);
    assert.deepEqual([group["entries-read"], group.lag, group.pending], [200, 0, 0]);
    await redis.quit();
  },
  async consumer_is_killed() {
    const redis = new Redis(url);
    await redis.xgroup("CREATE", "jobs", "workers", "0", "MKSTREAM");
    const ids = [];
    for (let n = 0; n < 5; n++) ids.push(await redis.xadd("jobs", "*", "n", n));
    const stuck = helped("stuck");
    await eventually(() => redis.get("stuck"));
    stuck.kill("SIGKILL");
    const pending = await redis.xpending("jobs", "workers", "IDLE", 0, "-", "+", 10, "stuck");
    assert.deepEqual(pending.map(([id, name, , times]) => [id, name, times]), ids.slice(0, 3).map((id) => [id, "stuck", 1]));
    // Two at a time, with a cursor; then nothing is left.
    const first = await redis.xautoclaim("jobs", "workers", "ann", 0, "0-0", "COUNT", 2);
    assert.deepEqual([first[0], first[1].map(([id]) => id)], [ids[2], ids.slice(0, 2)]);
    await redis.xdel("jobs", ids[2]);
    const second = await redis.xautoclaim("jobs", "workers", "ann", 0, first[0], "COUNT", 2);
    assert.deepEqual(second, ["0-0", [], [ids[2]]]);
    assert.deepEqual((await redis.xreadgroup("GROUP", "workers", "ann", "STREAMS", "jobs", "0"))[0][1].map(([id]) => id), ids.slice(0, 2));
    assert.equal(await redis.xack("jobs", "workers", ...ids), 2);
    assert.equal((await redis.xclaim("jobs", "workers", "ann", 0, ids[3], "FORCE", "JUSTID")).length, 1);
    assert.equal(await redis.xgroup("DELCONSUMER", "jobs", "workers", "ann"), 1);
    await redis.quit();
  },
  async group_goes_while_it_is_waited_for() {
    const redis = new Redis(url);
    const waiter = new Redis(url);
    await redis.xgroup("CREATE", "jobs", "workers", "$", "MKSTREAM");
    const waiting = waiter.xreadgroup("GROUP", "workers", "ann", "BLOCK", 10_000, "STREAMS", "jobs", ">");
    await eventually(async () => /blocked_clients:1/.test(await redis.info("clients")));
    await redis.xgroup("DESTROY", "jobs", "workers");
    await assert.rejects(waiting, /NOGROUP|UNBLOCKED/);
    await Promise.all([redis.quit(), waiter.quit()]);
  },
  async scripts_as_commands() {
    const redis = new Redis(url, {
      scripts: {
        move: {
          numberOfKeys: 2,
          lua: `local entry = redis.call("XRANGE", KEYS[1], "-", "+", "COUNT", 1)[1]
                if not entry then return nil end
                redis.call("XDEL", KEYS[1], entry[1])
                return redis.call("XADD", KEYS[2], ARGV[1], unpack(entry[2]))`,
        },
      },
    });
    await redis.xadd("from", "1-1", "a", 1, "b", 2);
    assert.equal(await redis.move("from", "to", "7-7"), "7-7");
    assert.equal(await redis.move("from", "to", "8-8"), null);
    assert.deepEqual(await redis.xrange("to", "-", "+"), [["7-7", ["a", "1", "b", "2"]]]);
    await redis.xadd("from", "2-1", "c", 3);
    await redis.script("FLUSH");
    const replies = await redis.pipeline().set("k", "v").move("from", "to", "9-9").get("k").exec();
    assert.deepEqual(replies, [[null, "OK"], [null, "9-9"], [null, "v"]]);
    assert.equal(await redis.xlen("to"), 2);
    await redis.quit();
  },
});
