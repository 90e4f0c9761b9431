// BullMQ: job queues on scripts, streams and blocking commands. Flows, schedulers, rate limits, and workers that die.
import * as bullmq from "bullmq";
import Redis from "ioredis";
import assert from "node:assert/strict";
import { eventually, helper, helped, run, sleep } from "./scenarios.mjs";

const { FlowProducer, Queue, QueueEvents, Worker } = bullmq;
const url = process.argv[2];
const connection = { host: "127.0.0.1", port: Number(new URL(url).port), maxRetriesPerRequest: null };

// A queue with its events and a worker; `start` makes further parts, which are closed with the others.
async function withQueue(name, work, body, options = {}) {
  const parts = [];
  const start = (Part, ...rest) => {
    const part = new Part(...rest);
    part.on("error", () => {});
    parts.unshift(part);
    return part;
  };
  const queue = start(Queue, name, { connection });
  const events = start(QueueEvents, name, { connection });
  const worker = work && start(Worker, name, work, { connection, ...options });
  try {
    await events.waitUntilReady();
    await body({ queue, events, worker, start });
  } finally {
    await Promise.all(parts.map((part) => (part instanceof Redis ? part.quit() : part.close(true))));
  }
}

const stalling = { connection, lockDuration: 500, stalledInterval: 300 };

// In a process of its own: a worker whose job never ends.
helper("hang", () => {
  new Worker("stalls", (job) => job.updateProgress(1).then(() => new Promise(() => {})), stalling);
});

const scenarios = {
  async job_runs() {
    const work = async (job) => {
      await job.updateProgress(50);
      await job.log("half way");
      return job.data.x * 2;
    };
    await withQueue("plain", work, async ({ queue, events }) => {
      const progress = new Promise((resolve) => events.once("progress", resolve));
      const job = await queue.add("double", { x: 21 });
      assert.equal(await job.waitUntilFinished(events, 20_000), 42);
      assert.equal((await progress).data, 50);
      assert.deepEqual((await queue.getJobLogs(job.id)).logs, ["half way"]);
      assert.equal(await job.getState(), "completed");
      assert.equal((await queue.getJob(job.id)).returnvalue, 42);
    });
  },
  async job_is_retried_and_fails() {
    const work = async (job) => {
      if (job.attemptsMade + 1 < job.data.succeeds) throw new Error("not yet");
      return job.attemptsMade + 1;
    };
    await withQueue("retries", work, async ({ queue, events }) => {
      const options = { attempts: 3, backoff: { type: "exponential", delay: 10 } };
      const job = await queue.add("stubborn", { succeeds: 3 }, options);
      assert.equal(await job.waitUntilFinished(events, 20_000), 3);
      const failing = await queue.add("hopeless", { succeeds: 99 }, options);
      await assert.rejects(failing.waitUntilFinished(events, 20_000), /not yet/);
      assert.deepEqual((await queue.getFailed()).map((failed) => failed.id), [failing.id]);
      assert.equal((await queue.getFailed())[0].stacktrace.length, 3);
      await (await queue.getJob(failing.id)).retry("failed");
      await eventually(async () => (await queue.getJob(failing.id)).attemptsMade === 4);
    });
  },
  async many_jobs_and_workers() {
    const done = [];
    const work = async (job) => void done.push(job.data.n);
    await withQueue("many", work, async ({ queue, events, start }) => {
      for (let n = 0; n < 2; n++) start(Worker, "many", work, { connection, concurrency: 10 });
      let completed = 0;
      events.on("completed", () => completed++);
      await queue.addBulk(Array.from({ length: 300 }, (_, n) => ({ name: "job", data: { n } })));
      await eventually(() => done.length === 300 && completed === 300);
      assert.equal(new Set(done).size, 300);
      assert.deepEqual(await queue.getJobCounts("wait", "active", "completed", "failed"), { wait: 0, active: 0, completed: 300, failed: 0 });
    });
  },
  async priorities_and_order() {
    const order = [];
    const work = async (job) => void order.push(job.name);
    await withQueue("order", undefined, async ({ queue, start }) => {
      await queue.add("low", {}, { priority: 10 });
      await queue.add("high", {}, { priority: 1 });
      await queue.add("first", {});
      await queue.add("second", {});
      await queue.add("before all", {}, { lifo: true });
      await queue.add("low again", {}, { priority: 10 });
      assert.deepEqual(await queue.getCountsPerPriority([0, 1, 10]), { 0: 3, 1: 1, 10: 2 });
      start(Worker, "order", work, { connection });
      await eventually(() => order.length === 6);
      assert.deepEqual(order, ["before all", "first", "second", "high", "low", "low again"]);
    });
  },
  async delayed_jobs() {
    const done = [];
    await withQueue("later", async (job) => void done.push([job.name, Date.now()]), async ({ queue }) => {
      const begin = Date.now();
      const far = await queue.add("far", {}, { delay: 3_600_000 });
      await queue.add("near", {}, { delay: 300 });
      await queue.add("now", {});
      await eventually(() => done.length === 2);
      assert.deepEqual(done.map(([name]) => name), ["now", "near"]);
      assert.ok(done[1][1] - begin >= 295, `after ${done[1][1] - begin} ms`);
      assert.equal(await queue.getDelayedCount(), 1);
      await far.changeDelay(7_200_000);
      await far.promote();
      await eventually(() => done.length === 3);
    });
  },
  async flow() {
    const work = async (job) => {
      if (job.name === "sum") return Object.values(await job.getChildrenValues()).reduce((sum, value) => sum + value, 0);
      return job.data.x ** 2;
    };
    await withQueue("flows", work, async ({ events, start }) => {
      const flows = start(FlowProducer, { connection });
      const square = (x) => ({ name: "square", queueName: "flows", data: { x } });
      const tree = await flows.add({
        name: "sum",
        queueName: "flows",
        children: [square(1), square(2), { name: "sum", queueName: "flows", children: [square(3), square(4)] }],
      });
      assert.equal(await tree.job.waitUntilFinished(events, 20_000), 30);
      const found = await flows.getFlow({ id: tree.job.id, queueName: "flows" });
      assert.equal(found.children.length, 3);
      assert.equal((await tree.job.getDependencies()).nextUnprocessedCursor ?? 0, 0);
    });
  },
  async flow_whose_child_fails() {
    const work = async (job) => {
      if (job.name === "bad") throw new Error("bad child");
      if (job.name === "tolerant") return Object.values(await job.getIgnoredChildrenFailures()).length;
    };
    await withQueue("flows", work, async ({ events, start }) => {
      const flows = start(FlowProducer, { connection });
      const child = (name, opts) => ({ name, queueName: "flows", opts });
      const strict = await flows.add({
        name: "parent",
        queueName: "flows",
        children: [child("bad", { failParentOnFailure: true }), child("good")],
      });
      await assert.rejects(strict.job.waitUntilFinished(events, 20_000), /failed/);
      const tolerant = await flows.add({
        name: "tolerant",
        queueName: "flows",
        children: [child("bad", { ignoreDependencyOnFailure: true }), child("good")],
      });
      assert.equal(await tolerant.job.waitUntilFinished(events, 20_000), 1);
    });
  },
  async job_schedulers() {
    const done = [];
    await withQueue("planned", async (job) => void done.push(job.data.n), async ({ queue }) => {
      await queue.upsertJobScheduler("often", { every: 100 }, { name: "tick", data: { n: 1 } });
      await queue.upsertJobScheduler("yearly", { pattern: "0 0 1 1 *" }, { name: "tick", data: { n: 9 } });
      await eventually(() => done.length >= 3);
      await queue.upsertJobScheduler("often", { every: 100 }, { name: "tick", data: { n: 2 } });
      await eventually(() => done.includes(2));
      assert.deepEqual((await queue.getJobSchedulers()).map((found) => found.key).sort(), ["often", "yearly"]);
      assert.equal(await queue.removeJobScheduler("often"), true);
      await eventually(async () => (await queue.getActiveCount()) === 0);
      const count = done.length;
      await sleep(300);
      assert.equal(done.length, count);
      assert.equal(await queue.getDelayedCount(), 1);
    });
  },
  async rate_limit() {
    const times = [];
    const work = async () => void times.push(Date.now());
    await withQueue("limited", work, async ({ queue, start }) => {
      start(Worker, "limited", work, { connection, limiter: { max: 2, duration: 300 } });
      await queue.addBulk(Array.from({ length: 7 }, () => ({ name: "job", data: {} })));
      await eventually(() => times.length === 7);
      // Two at once, and 300 ms later two more, and so on; a bit less if the first one was noted late.
      assert.ok(times[6] - times[0] >= 700, `all within ${times[6] - times[0]} ms`);
    }, { limiter: { max: 2, duration: 300 } });
  },
  async rate_limit_set_by_a_job() {
    let tries = 0;
    await withQueue("limited", undefined, async ({ queue, events, start }) => {
      const worker = start(Worker, "limited", async () => {
        if (++tries > 1) return tries;
        await queue.rateLimit(300);
        throw Worker.RateLimitError();
      }, { connection, limiter: { max: 100, duration: 1000 } });
      const begin = Date.now();
      const job = await queue.add("job", {});
      assert.equal(await job.waitUntilFinished(events, 20_000), 2);
      assert.ok(Date.now() - begin >= 280, `after ${Date.now() - begin} ms`);
      assert.equal(await queue.getRateLimitTtl() <= 1000, true);
      assert.ok(worker.isRunning());
    });
  },
  async global_concurrency() {
    let active = 0, most = 0, done = 0;
    const work = async () => {
      most = Math.max(most, ++active);
      await sleep(20);
      active--;
      done++;
    };
    await withQueue("narrow", undefined, async ({ queue, start }) => {
      await queue.setGlobalConcurrency(2);
      await queue.addBulk(Array.from({ length: 20 }, () => ({ name: "job", data: {} })));
      for (let n = 0; n < 3; n++) start(Worker, "narrow", work, { connection, concurrency: 5 });
      await eventually(() => done === 20);
      assert.equal(most, 2);
    });
  },
  async worker_is_killed() {
    await withQueue("stalls", undefined, async ({ queue, events, start }) => {
      const dying = helped("hang");
      const job = await queue.add("job", {});
      await eventually(async () => (await queue.getJob(job.id)).progress === 1);
      dying.kill("SIGKILL");
      const stalled = new Promise((resolve) => events.once("stalled", resolve));
      start(Worker, "stalls", async () => "done by another", stalling);
      assert.equal(await job.waitUntilFinished(events, 15_000), "done by another");
      assert.equal((await stalled).jobId, job.id);
    });
  },
  async lock_is_lost() {
    // Somebody takes the lock of a job that is being worked on: its result must not count.
    await withQueue("locks", undefined, async ({ queue, start }) => {
      const client = start(Redis, url);
      let lost;
      const failed = new Promise((resolve) => (lost = resolve));
      const worker = start(Worker, "locks", async (job) => {
        await client.set(`bull:locks:${job.id}:lock`, "another");
        return "too late";
      }, { connection, skipLockRenewal: true, skipStalledCheck: true });
      worker.on("error", lost);
      const job = await queue.add("job", {});
      assert.match((await failed).message, /lock/i);
      assert.equal(await job.getState(), "active");
    });
  },
  async pause_and_resume() {
    const done = [];
    await withQueue("paused", async (job) => void done.push(job.name), async ({ queue }) => {
      await queue.pause();
      assert.equal(await queue.isPaused(), true);
      await queue.add("first", {});
      await queue.add("second", {});
      await sleep(100);
      assert.deepEqual(done, []);
      await queue.resume();
      await eventually(() => done.length === 2);
      assert.deepEqual(done, ["first", "second"]);
    });
  },
  async deduplication() {
    await withQueue("once", undefined, async ({ queue }) => {
      const add = () => queue.add("job", {}, { deduplication: { id: "same", ttl: 60_000 } });
      const first = await add();
      assert.equal((await add()).id, first.id);
      const named = await queue.add("job", {}, { jobId: "mine" });
      assert.equal((await queue.add("job", {}, { jobId: "mine" })).id, named.id);
      assert.equal(await queue.getWaitingCount(), 2);
      assert.equal(await queue.getDeduplicationJobId("same"), first.id);
      await queue.removeDeduplicationKey("same");
      assert.notEqual((await add()).id, first.id);
    });
  },
  async clean_and_obliterate() {
    await withQueue("dirty", async () => "done", async ({ queue, worker, start }) => {
      await queue.addBulk(Array.from({ length: 50 }, () => ({ name: "job", data: {} })));
      await eventually(async () => (await queue.getCompletedCount()) === 50);
      assert.equal((await queue.clean(0, 20, "completed")).length, 20);
      assert.equal(await queue.getCompletedCount(), 30);
      await worker.close();
      const job = await queue.add("job", {});
      await queue.add("later", {}, { delay: 60_000 });
      await job.remove();
      assert.equal(await queue.getJob(job.id), undefined);
      await queue.drain(true);
      assert.equal(await queue.count(), 0);
      await queue.obliterate({ force: true });
      const client = start(Redis, url);
      assert.deepEqual((await client.keys("bull:dirty:*")).filter((key) => !key.endsWith(":meta")), []);
    });
  },
};

// BullMQ 5's repeatable jobs, which BullMQ 6 has no more.
if (Queue.prototype.getRepeatableJobs)
  scenarios.repeatable_jobs = async () => {
    const done = [];
    await withQueue("repeated", async (job) => void done.push(job.name), async ({ queue }) => {
      await queue.add("often", {}, { repeat: { every: 100 } });
      await queue.add("thrice", {}, { repeat: { every: 150, limit: 3 } });
      await queue.add("yearly", {}, { repeat: { pattern: "0 0 1 1 *" } });
      await eventually(() => done.filter((name) => name === "often").length >= 4);
      await eventually(() => done.filter((name) => name === "thrice").length === 3);
      const often = (await queue.getRepeatableJobs()).find((job) => job.name === "often");
      assert.equal(await queue.removeRepeatableByKey(often.key), true);
      await sleep(150);
      const count = done.length;
      await sleep(300);
      assert.equal(done.length, count);
      assert.equal(done.filter((name) => name === "thrice").length, 3);
    });
  };

await run(url, scenarios);
