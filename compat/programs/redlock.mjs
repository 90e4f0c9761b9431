// node-redlock 5: a lock on several keys, by scripts; extended by itself while work goes on, and lost.
import Redis from "ioredis";
import Redlock, { ExecutionError, ResourceLockedError } from "redlock";
import assert from "node:assert/strict";
import { eventually, helper, helped, run, sleep } from "./scenarios.mjs";

const url = process.argv[2];
const redis = new Redis(url);
const patient = new Redlock([redis], { retryCount: -1, retryDelay: 10, retryJitter: 5 });
const once = new Redlock([redis], { retryCount: 0 });

helper("hold", () => patient.acquire(["work"], 700));

await run(url, {
  async one_holder() {
    const lock = await once.acquire(["{work}a", "{work}b"], 60_000);
    assert.equal(await redis.exists("{work}a", "{work}b"), 2);
    await assert.rejects(once.acquire(["{work}b"], 1000), ExecutionError);
    await assert.rejects(once.acquire(["{work}c", "{work}a"], 1000), ExecutionError);
    assert.equal(await redis.exists("{work}c"), 0); // all or nothing
    await lock.release();
    assert.equal(await redis.exists("{work}a", "{work}b"), 0);
    await (await once.acquire(["{work}b"], 1000)).release();
  },
  async keys_anywhere() {
    // As it may be used on one server: keys of the same lock that would be in different slots.
    const names = Array.from({ length: 20 }, (_, number) => `resource:${number}`);
    const lock = await once.acquire(names, 60_000);
    assert.equal(await redis.exists(...names), 20);
    await assert.rejects(once.acquire([names[7]], 1000), ExecutionError);
    await lock.release();
    assert.equal(await redis.exists(...names), 0);
  },
  async extend() {
    let lock = await once.acquire(["work"], 1000);
    lock = await lock.extend(60_000);
    assert.ok((await redis.pttl("work")) > 50_000);
    await lock.release();
    await assert.rejects(lock.extend(1000), /expired|quorum|lock/i);
  },
  async lost_by_timeout() {
    const lost = await once.acquire(["work"], 50);
    await eventually(async () => !(await redis.exists("work")));
    const winner = await once.acquire(["work"], 60_000);
    await assert.rejects(lost.extend(1000));
    await assert.rejects(lost.release());
    assert.equal(await redis.get("work"), winner.value);
    await winner.release();
  },
  async contention() {
    let inside = 0;
    const turn = async () => {
      for (let n = 0; n < 10; n++) {
        const lock = await patient.acquire(["counter:lock"], 10_000);
        assert.equal(++inside, 1);
        await redis.set("counter", Number(await redis.get("counter")) + 1);
        inside--;
        await lock.release();
      }
    };
    await Promise.all(Array.from({ length: 5 }, turn));
    assert.equal(await redis.get("counter"), "50");
  },
  async using_extends_by_itself() {
    const renewing = new Redlock([redis], { retryCount: 0, automaticExtensionThreshold: 200 });
    await renewing.using(["work"], 400, async (signal) => {
      await sleep(1000);
      assert.equal(signal.aborted, false);
      assert.equal(await redis.exists("work"), 1);
    });
    assert.equal(await redis.exists("work"), 0);
  },
  async using_is_told_of_the_loss() {
    const renewing = new Redlock([redis], { retryCount: 0, automaticExtensionThreshold: 200 });
    const told = renewing.using(["work"], 400, async (signal) => {
      await redis.set("work", "another");
      await eventually(() => signal.aborted, 5000);
      assert.ok(signal.error instanceof Error);
    });
    await told.catch(() => {}); // it cannot release what is not its own
    assert.equal(await redis.get("work"), "another");
  },
  async error_says_locked() {
    const errors = [];
    const speaking = new Redlock([redis], { retryCount: 0 });
    speaking.on("error", (error) => errors.push(error));
    await once.acquire(["work"], 1000);
    await assert.rejects(speaking.acquire(["work"], 1000));
    assert.ok(errors.some((error) => error instanceof ResourceLockedError));
  },
  async holder_is_killed() {
    const holder = helped("hold");
    await eventually(() => redis.exists("work"));
    holder.kill("SIGKILL");
    const begin = Date.now();
    await (await patient.acquire(["work"], 1000)).release();
    assert.ok(Date.now() - begin < 5000);
  },
  async scripts_are_forgotten() {
    for (let n = 0; n < 3; n++) {
      const lock = await once.acquire(["work"], 1000);
      await redis.script("FLUSH");
      await lock.release();
    }
    assert.equal(await redis.exists("work"), 0);
  },
});
