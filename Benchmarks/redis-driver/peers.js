#!/usr/bin/env node
// node-redis (Debian: node-redis) on the server that redis-driver measures.
//
//     node Benchmarks/redis-driver/peers.js PORT [SECONDS]
const {createClient} = require('redis');

const port = Number(process.argv[2]);
const seconds = Number(process.argv[3] ?? 1);
const rounds = 3;

async function measure(name, tasks, perCall, call) {
  const rates = [];
  const costs = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    const before = process.cpuUsage();
    let calls = 0;
    const work = async () => {
      while (performance.now() < start + seconds * 1000) {
        await call();
        calls++;
      }
    };
    await Promise.all(Array.from({length: tasks}, work));
    const used = process.cpuUsage(before);
    rates.push((calls * perCall * 1000) / (performance.now() - start));
    costs.push((used.user + used.system) / (calls * perCall));
  }
  const median = (numbers) => numbers.sort((a, b) => a - b)[rounds >> 1];
  console.log(JSON.stringify({
    case: name,
    client: 'node-redis',
    ops_per_second: Math.trunc(median(rates)),
    client_cpu_us_per_op: Number(median(costs).toFixed(2)),
  }));
}

(async () => {
  const client = createClient({socket: {port, host: '127.0.0.1'}});
  await client.connect();
  await client.set('peers', 'x'.repeat(64));
  const get = () => client.get('peers');
  await measure('GET 64 B, 1 task', 1, 1, get);
  await measure('GET 64 B, 64 tasks', 64, 1, get);
  await measure('GET 64 B, 1 task, pipelines of 100', 1, 100, () => Promise.all(Array.from({length: 100}, get)));
  await client.quit();
})();
