'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { createHash, pbkdf2Sync } = require('node:crypto');
const { execFileSync } = require('node:child_process');
const zlib = require('node:zlib');
const sha = (data) => createHash('sha256').update(data).digest('hex');

function work(n, shared) {
    const map = new Map();
    for (let i = 0; i < 60000; i++) {
        const key = 'k' + ((i * 31 * n) % 5003);
        if (!map.has(key)) map.set(key, []);
        map.get(key).push({ i, text: 'x'.repeat(i % 50) });
    }
    const json = JSON.stringify([...map]);
    const packed = zlib.gzipSync(json);
    if (zlib.gunzipSync(packed).toString() !== json) throw new Error('zlib');
    const counts = new Int32Array(shared);
    for (let i = 0; i < 100000; i++) Atomics.add(counts, i % counts.length, 1);
    const buffers = [];
    for (let i = 0; i < 300; i++) buffers.push(Buffer.alloc(10000 + i * 100, i));
    return sha(json) + sha(zlib.brotliCompressSync(json.slice(0, 200000))) + sha(Buffer.concat(buffers)) +
        pbkdf2Sync('secret', 'salt' + n, 2000, 32, 'sha256').toString('hex');
}

async function main() {
    const shared = new SharedArrayBuffer(4000);
    for (let round = 0; round < 3; round++) {
        const results = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => new Promise((resolve, reject) => {
            const worker = new Worker(__filename, { workerData: { n: n + round, shared } });
            let result;
            worker.on('message', (message) => { result = message; });
            worker.on('error', reject);
            worker.on('exit', (code) => (code ? reject(new Error(`exit ${code}`)) : resolve(result)));
        })));
        console.log('round', round, sha(results.join()));
    }
    console.log('shared', new Int32Array(shared).reduce((a, b) => a + b));
    const stopped = new Worker('setInterval(() => Buffer.alloc(100000), 1)', { eval: true });
    await new Promise((resolve) => stopped.on('online', resolve));
    console.log('terminated', await stopped.terminate());
    console.log('child', execFileSync(process.execPath, ['-p', '[1, 2, 3].map((x) => x * x).join()']).toString().trim());
}

if (isMainThread) main();
else parentPort.postMessage(work(workerData.n, workerData.shared));
