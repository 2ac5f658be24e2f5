// A reporter for Node's test runner: one JSON line per test that passed, failed or was skipped. Suites are not counted,
// but one that is skipped is told: its tests are never seen.
export default async function* outcomes(events) {
  for await (const {type, data} of events) {
    const isSuite = data?.details?.type === 'suite';
    if (!['test:pass', 'test:fail'].includes(type) || (isSuite && data.skip === undefined)) continue;
    const outcome = data.skip !== undefined ? 'skipped' : type === 'test:pass' ? 'passed' : 'failed';
    yield `${JSON.stringify({outcome, name: data.name, reason: String(data.skip ?? '')})}\n`;
  }
}
