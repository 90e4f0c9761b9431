// node-redlock 4, which most programs still have: its scripts are sent with each call (EVAL).
import Redis from "ioredis";
import Redlock from "redlock";
import assert from "node:assert/strict";
import { eventually, run } from "./scenarios.mjs";

const url = process.argv[2];
const redis = new Redis(url);
const once = new Redlock([redis], { retryCount: 0 });
const patient = new Redlock([redis], { retryCount: 1000, retryDelay: 10, retryJitter: 5 });

await run(url, {
  async one_holder() {
    const lock = await once.lock("work", 60_000);
    await assert.rejects(once.lock("work", 1000), /lock/);
    await lock.extend(120_000);
    assert.ok((await redis.pttl("work")) > 100_000);
    await lock.unlock();
    assert.equal(await redis.exists("work"), 0);
  },
  async several_keys() {
    const names = Array.from({ length: 10 }, (_, number) => `resource:${number}`);
    const lock = await once.lock(names, 60_000);
    await assert.rejects(once.lock(["another", names[3]], 1000), /lock/);
    assert.equal(await redis.exists("another"), 0);
    await lock.unlock();
    assert.equal(await redis.exists(...names), 0);
  },
  async lost_by_timeout() {
    const lost = await once.lock("work", 50);
    await eventually(async () => !(await redis.exists("work")));
    const winner = await once.lock("work", 60_000);
    await assert.rejects(lost.extend(1000));
    await assert.rejects(lost.unlock());
    assert.equal(await redis.get("work"), winner.value);
  },
  async contention() {
    const turn = async () => {
      for (let n = 0; n < 10; n++) {
        const lock = await patient.lock("counter:lock", 10_000);
        await redis.set("counter", Number(await redis.get("counter")) + 1);
        await lock.unlock();
      }
    };
    await Promise.all(Array.from({ length: 5 }, turn));
    assert.equal(await redis.get("counter"), "50");
  },
});
