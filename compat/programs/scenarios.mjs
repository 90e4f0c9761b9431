// What `child.py` is for Python: each scenario on an empty server, a line of JSON for each.
import net from "node:net";

const LIMIT = 30_000; // milliseconds

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

export async function run(url, scenarios) {
  for (const [name, scenario] of Object.entries(scenarios)) {
    let problem = "";
    try {
      await flush(url);
      await limited(scenario());
    } catch (error) {
      problem = `${error.name}: ${error.message}`;
    }
    console.log(JSON.stringify([name, problem]));
  }
  process.exit(0);
}
