// Meters of energy over a made-up /sys/class/powercap, and over a made-up nvidia-smi.
import assert from 'node:assert/strict';
import {chmodSync, mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {setTimeout as wait} from 'node:timers/promises';
import {createEnergyMeter} from '../../src/runs/energy-meter.js';
import {temporaryFolder} from './support/open-runs.js';

function domain(folder: string, id: string, name: string, microjoules: number, range = 1000): (now: number) => void {
  mkdirSync(join(folder, id));
  writeFileSync(join(folder, id, 'name'), `${name}\n`);
  writeFileSync(join(folder, id, 'max_energy_range_uj'), `${range}\n`);
  const set = (now: number) => writeFileSync(join(folder, id, 'energy_uj'), `${now}\n`);
  set(microjoules);
  return set;
}

async function meterOf(t: TestContext, ...options: Parameters<typeof createEnergyMeter>) {
  const meter = await createEnergyMeter(...options);
  t.after(() => meter?.close());
  return meter;
}

test('packages and memory are summed, the parts of a package and the whole platform are not counted again', async t => {
  const powercap = await temporaryFolder(t);
  const first = domain(powercap, 'intel-rapl:0', 'package-0', 500);
  const second = domain(powercap, 'intel-rapl:1', 'package-1', 100);
  const memory = domain(powercap, 'intel-rapl:0:1', 'dram', 0);
  const cores = domain(powercap, 'intel-rapl:0:0', 'core', 0);
  const platform = domain(powercap, 'intel-rapl:2', 'psys', 0);
  const meter = await meterOf(t, 'cpu', {powercap});
  assert.deepEqual([meter?.source, meter?.joules(), meter?.deviceMemoryBytes()], ['RAPL', 0, undefined]);
  first(700);
  second(110);
  memory(5);
  cores(900);
  platform(900);
  assert.ok(Math.abs(meter!.joules() - 215e-6) < 1e-12);
});

test('a counter that begins anew at the end of its range goes on', async t => {
  const powercap = await temporaryFolder(t);
  const set = domain(powercap, 'intel-rapl:0', 'package-0', 900);
  const meter = await meterOf(t, 'cpu', {powercap});
  set(50);
  assert.ok(Math.abs(meter!.joules() - 150e-6) < 1e-12);
  set(60);
  assert.ok(Math.abs(meter!.joules() - 160e-6) < 1e-12);
});

test('a machine without counters, or whose counters may not be read, does not tell', async t => {
  const powercap = await temporaryFolder(t);
  assert.equal(await meterOf(t, 'cpu', {powercap: join(powercap, 'none')}), undefined);
  mkdirSync(join(powercap, 'intel-rapl:0'));
  writeFileSync(join(powercap, 'intel-rapl:0', 'name'), 'package-0\n');
  assert.equal(await meterOf(t, 'cpu', {powercap}), undefined);
  assert.equal(await meterOf(t, 'gpu', {nvidiaSmi: join(powercap, 'none')}), undefined);
});

test('the power of all GPUs is integrated over time, and the most memory that they held is kept', async t => {
  const folder = await temporaryFolder(t);
  const nvidiaSmi = join(folder, 'nvidia-smi');
  const lines = ['0, 100.0, 1000', '1, 300.0, 500', '0, 100.0, 3000', '1, 300.0, 200'].map(line => `echo '${line}'`);
  writeFileSync(nvidiaSmi, `#!/bin/sh\n${lines[0]}\n${lines[1]}\nsleep 0.3\n${lines[2]}\n${lines[3]}\nsleep 30\n`);
  chmodSync(nvidiaSmi, 0o755);
  const meter = await meterOf(t, 'gpu', {nvidiaSmi});
  assert.equal(meter?.source, 'NVML');
  for (let tries = 0; meter!.joules() < 100 && tries < 100; tries++) await wait(20);
  await wait(50);
  const joules = meter!.joules();
  assert.ok(joules >= 0.29 * 400 && joules < 4 * 400, `${joules} J of 400 W over 0.3 s and more`);
  assert.equal(meter!.deviceMemoryBytes(), 3500 * 2 ** 20);
});

test('a GPU that does not tell its power is no meter', async t => {
  const nvidiaSmi = join(await temporaryFolder(t), 'nvidia-smi');
  writeFileSync(nvidiaSmi, "#!/bin/sh\necho '0, [N/A], 1000'\n");
  chmodSync(nvidiaSmi, 0o755);
  assert.equal(await meterOf(t, 'gpu', {nvidiaSmi}), undefined);
});
