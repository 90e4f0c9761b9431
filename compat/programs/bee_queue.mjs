// bee-queue: jobs on lists (BRPOPLPUSH), channels and scripts; delayed jobs, and jobs whose worker has died.
import Queue from "bee-queue";
import assert from "node:assert/strict";
import { eventually, helper, helped, run, sleep } from "./scenarios.mjs";

const url = process.argv[2];
const open = [];

function queue(name, options = {}) {
  const made = new Queue(name, { redis: { url }, removeOnSuccess: false, activateDelayedJobs: true, ...options });
  made.on("error", () => {});
  open.push(made);
  return made;
}

async function closed(body) {
  try {
    await body();
  } finally {
    await Promise.all(open.splice(0).map((each) => each.close(500).catch(() => {})));
  }
}

const finished = (job) =>
  new Promise((resolve, reject) => {
    job.on("succeeded", resolve);
    job.on("failed", reject);
  });

// In a process of its own: a worker whose job never ends, and keeps it so busy that its stall check does not come either.
helper("hang", () => {
  queue("stalls", { stallInterval: 500 }).process((job) => {
    job.reportProgress(1);
    return new Promise(() => {});
  });
});

await run(url, {
  job_runs: () =>
    closed(async () => {
      const producer = queue("plain", { isWorker: false });
      const worker = queue("plain");
      worker.process(async (job) => {
        job.reportProgress({ half: true });
        await sleep(10);
        return job.data.x * 2;
      });
      await producer.ready();
      const job = producer.createJob({ x: 21 });
      const progress = new Promise((resolve) => job.on("progress", resolve));
      const result = finished(job);
      await job.save();
      assert.equal(await result, 42);
      assert.deepEqual(await progress, { half: true });
      assert.equal((await producer.getJob(job.id)).status, "succeeded");
    }),
  job_is_retried_and_fails: () =>
    closed(async () => {
      const jobs = queue("retries");
      const tries = {};
      jobs.process(async (job) => {
        tries[job.id] = (tries[job.id] ?? 0) + 1;
        if (tries[job.id] < job.data.succeeds) throw new Error("not yet");
        return tries[job.id];
      });
      const stubborn = jobs.createJob({ succeeds: 3 }).retries(3).backoff("exponential", 20);
      const result = finished(stubborn);
      await stubborn.save();
      assert.equal(await result, 3);
      const hopeless = jobs.createJob({ succeeds: 99 }).retries(1).backoff("immediate");
      const failure = finished(hopeless);
      await hopeless.save();
      await assert.rejects(failure, /not yet/);
      assert.equal(tries[hopeless.id], 2);
      const counts = await jobs.checkHealth();
      assert.deepEqual([counts.waiting, counts.active, counts.succeeded, counts.failed], [0, 0, 1, 1]);
    }),
  timeout: () =>
    closed(async () => {
      const jobs = queue("slow");
      jobs.process(() => sleep(60_000));
      const job = jobs.createJob({}).timeout(50);
      const failure = finished(job);
      await job.save();
      await assert.rejects(failure, /timed out/);
    }),
  many_jobs_and_workers: () =>
    closed(async () => {
      const producer = queue("many", { isWorker: false, getEvents: false });
      const done = [];
      for (let n = 0; n < 3; n++) queue("many").process(5, async (job) => void done.push(job.data.n));
      const errors = await producer.saveAll(Array.from({ length: 300 }, (_, n) => producer.createJob({ n })));
      assert.equal(errors.size, 0);
      await eventually(() => done.length === 300);
      assert.equal(new Set(done).size, 300);
      await eventually(async () => (await producer.checkHealth()).succeeded === 300);
    }),
  delayed_jobs: () =>
    closed(async () => {
      const jobs = queue("later", { delayedDebounce: 10 });
      const done = [];
      jobs.process(async (job) => void done.push([job.data.name, Date.now()]));
      const begin = Date.now();
      await jobs.createJob({ name: "near" }).delayUntil(begin + 300).save();
      await jobs.createJob({ name: "far" }).delayUntil(begin + 3_600_000).save();
      await jobs.createJob({ name: "now" }).save();
      await eventually(() => done.length === 2);
      assert.deepEqual(done.map(([name]) => name), ["now", "near"]);
      assert.ok(done[1][1] - begin >= 295, `after ${done[1][1] - begin} ms`);
      assert.equal((await jobs.checkHealth()).delayed, 1);
    }),
  remove_and_ids: () =>
    closed(async () => {
      const jobs = queue("named", { isWorker: false });
      assert.equal((await jobs.createJob({ x: 1 }).setId("mine").save()).id, "mine");
      assert.equal((await jobs.createJob({ x: 2 }).setId("mine").save()).id, null); // it is there already
      assert.deepEqual((await jobs.getJobs("waiting", { start: 0, end: 9 })).map((job) => job.data), [{ x: 1 }]);
      await jobs.removeJob("mine");
      assert.equal(await jobs.getJob("mine"), null);
      assert.equal((await jobs.checkHealth()).waiting, 0);
      await jobs.createJob({}).save();
      await jobs.destroy();
      assert.equal((await jobs.checkHealth()).waiting, 0);
    }),
  worker_is_killed: () =>
    closed(async () => {
      const producer = queue("stalls", { isWorker: false });
      const dying = helped("hang");
      const job = producer.createJob({});
      const progress = new Promise((resolve) => job.on("progress", resolve));
      const result = finished(job);
      await job.save();
      await progress;
      dying.kill("SIGKILL");
      const worker = queue("stalls", { stallInterval: 500 });
      const stalled = new Promise((resolve) => worker.on("stalled", resolve));
      worker.process(async () => "done by another");
      await worker.checkStalledJobs(100);
      assert.equal(await result, "done by another");
      assert.equal(await stalled, job.id);
    }),
  close_waits_for_the_job: () =>
    closed(async () => {
      const jobs = queue("closing");
      let started, ended;
      const begun = new Promise((resolve) => (started = resolve));
      jobs.process(async () => {
        started();
        await sleep(200);
        ended = true;
      });
      await jobs.createJob({}).save();
      await begun;
      await jobs.close(5000);
      assert.equal(ended, true);
      const successor = queue("closing", { isWorker: false });
      assert.equal((await successor.checkHealth()).succeeded, 1);
    }),
});
