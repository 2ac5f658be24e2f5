// A reporter for Node's test runner: one JSON line per test that passed, failed or was skipped. Suites are not counted.
export default async function* outcomes(events) {
  for await (const {type, data} of events) {
    if (!['test:pass', 'test:fail'].includes(type) || data.details?.type === 'suite') continue;
    const outcome = data.skip !== undefined ? 'skipped' : type === 'test:pass' ? 'passed' : 'failed';
    yield `${JSON.stringify({outcome, name: data.name, reason: String(data.skip ?? '')})}\n`;
  }
}
