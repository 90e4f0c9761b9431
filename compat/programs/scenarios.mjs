// What `child.py` and `support.py` are for Python: each scenario on an empty server, a line of JSON for each.
import { spawn } from "node:child_process";
import net from "node:net";

const LIMIT = 60_000; // milliseconds
const children = [];

function flush(url) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(new URL(url).port), "127.0.0.1", () => socket.write("FLUSHALL\r\n"));
    socket.once("data", () => socket.end(resolve));
    socket.once("error", reject);
  });
}

function limited(promise) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("took too long")), LIMIT)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Wait until `check` says true.
export async function eventually(check, milliseconds = 25_000) {
  const end = Date.now() + milliseconds;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`did not become true: ${check}`);
    await sleep(10);
  }
}

// `helper` names a function that `helped` runs in a process of its own, which can be killed: the same script once more.
let helping = false;
export function helper(name, work) {
  if (process.argv[3] === name) {
    helping = true;
    work();
  }
}
export function helped(name) {
  const child = spawn(process.execPath, [process.argv[1], process.argv[2], name], { stdio: ["ignore", "ignore", "inherit"] });
  children.push(child);
  return child;
}

export async function run(url, scenarios) {
  if (helping) return;
  process.on("unhandledRejection", (error) => console.error(error));
  for (const [name, scenario] of Object.entries(scenarios)) {
    let problem = "";
    try {
      await flush(url);
      await limited(scenario());
    } catch (error) {
      problem = `${error.name}: ${error.message}`;
      console.error(error);
    }
    for (const child of children) child.kill("SIGKILL");
    console.log(JSON.stringify([name, problem]));
  }
  process.exit(0);
}
