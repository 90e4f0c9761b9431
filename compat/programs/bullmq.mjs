// BullMQ: job queues on scripts, streams and blocking commands.
import { Queue, QueueEvents, Worker } from "bullmq";
import assert from "node:assert/strict";
import { run } from "./scenarios.mjs";

const url = process.argv[2];
const connection = { host: "127.0.0.1", port: Number(new URL(url).port), maxRetriesPerRequest: null };

async function withQueue(name, work, body) {
  const queue = new Queue(name, { connection });
  const events = new QueueEvents(name, { connection });
  const worker = new Worker(name, work, { connection });
  for (const part of [queue, events, worker]) part.on("error", () => {});
  try {
    await events.waitUntilReady();
    await body(queue, events);
  } finally {
    await Promise.all([worker.close(true), events.close(), queue.close()]);
  }
}

await run(url, {
  async job_runs() {
    await withQueue("plain", async (job) => job.data.x * 2, async (queue, events) => {
      const job = await queue.add("double", { x: 21 });
      assert.equal(await job.waitUntilFinished(events, 8000), 42);
    });
  },
  async job_is_retried() {
    let tries = 0;
    const work = async () => {
      if (++tries < 3) throw new Error("not yet");
      return tries;
    };
    await withQueue("retries", work, async (queue, events) => {
      const job = await queue.add("stubborn", {}, { attempts: 3, backoff: 10 });
      assert.equal(await job.waitUntilFinished(events, 8000), 3);
    });
  },
  async delayed_job_waits() {
    await withQueue("later", async () => "done", async (queue) => {
      await queue.add("later", {}, { delay: 3_600_000 });
      assert.equal(await queue.getDelayedCount(), 1);
    });
  },
});
