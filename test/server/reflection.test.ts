import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {test} from 'node:test';
import {promisify} from 'node:util';
import {BinaryReader, BinaryWriter} from '@bufbuild/protobuf/wire';
import {createChannel, createClient} from 'nice-grpc';
import {filesOf, readImage} from '../../src/server/descriptor-index.js';
import {FileDescriptorProto} from '../../src/server/gen/google/protobuf/descriptor.js';
import {reflectionDefinition} from '../../src/server/reflection.js';
import {runRecord} from './records.js';
import {collect, startTestServer} from './start-test-server.js';

const run = promisify(execFile);
const asks = {fileByFilename: 3, fileContainingSymbol: 4, extensionNumbers: 6, listServices: 7};

/** Length-delimited fields of a message by number, as they lie on the wire; varints as numbers. */
function fieldsOf(bytes: Uint8Array): Map<number, (Uint8Array | number)[]> {
  const fields = new Map<number, (Uint8Array | number)[]>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    fields.set(number, [...(fields.get(number) ?? []), wireType === 2 ? reader.bytes() : reader.int32()]);
  }
  return fields;
}
const text = (value: Uint8Array | number | undefined) => Buffer.from(value as Uint8Array).toString();

for (const version of ['v1', 'v1alpha'] as const) {
  const start = async (t: Parameters<typeof startTestServer>[0]) => {
    const {address} = await startTestServer(t);
    const channel = createChannel(address);
    t.after(() => channel.close());
    const client = createClient(reflectionDefinition(version), channel);
    return async (...questions: [field: number, value: string][]) => {
      const requests = questions.map(([field, value]) => {
        const bytes = new BinaryWriter()
          .uint32(10)
          .string('host')
          .uint32((field << 3) | 2)
          .string(value)
          .finish();
        return {bytes, host: '', ask: undefined};
      });
      const responses = await collect(
        client.serverReflectionInfo(
          (async function* () {
            yield* requests;
          })(),
        ),
      );
      return responses.map((response, i) => {
        const fields = fieldsOf(response);
        assert.equal(text(fields.get(1)?.[0]), 'host');
        assert.deepEqual(Buffer.from(fields.get(2)?.[0] as Uint8Array), Buffer.from(requests[i].bytes));
        return fields;
      });
    };
  };
  const filesIn = (fields: Map<number, (Uint8Array | number)[]>) =>
    (fieldsOf(fields.get(4)?.[0] as Uint8Array).get(1) ?? []) as Uint8Array[];

  test(`${version} lists every service, health and reflection too`, async t => {
    const ask = await start(t);
    const [fields] = await ask([asks.listServices, '']);
    const services = fieldsOf(fields.get(6)?.[0] as Uint8Array).get(1) as Uint8Array[];
    assert.deepEqual(
      services.map(service => text(fieldsOf(service).get(1)?.[0])),
      [
        'ftft.v1.FtftService',
        'grpc.health.v1.Health',
        'grpc.reflection.v1.ServerReflection',
        'grpc.reflection.v1alpha.ServerReflection',
      ],
    );
  });

  test(`${version} gives the file of a symbol with all that it imports, in original bytes, on one stream`, async t => {
    const ask = await start(t);
    const symbols = [
      ...['ftft.v1.FtftService', 'ftft.v1.FtftService.GetRun', 'ftft.v1.Run.State', 'ftft.v1.Run.STATE_PENDING'],
      ...['ftft.v1.StreamDynamicsRequest.heartbeat_interval', 'google.protobuf.Duration', 'grpc.health.v1.Health'],
    ];
    const answers = await ask(...symbols.map((symbol): [number, string] => [asks.fileContainingSymbol, symbol]));
    const original = filesOf(readImage()).map(bytes => Buffer.from(bytes).toString('base64'));
    for (const [i, fields] of answers.entries()) {
      const files = filesIn(fields);
      const names = files.map(bytes => FileDescriptorProto.decode(bytes).name);
      for (const bytes of files) {
        for (const imported of FileDescriptorProto.decode(bytes).dependency)
          assert.ok(names.includes(imported), imported);
        if (!symbols[i].startsWith('grpc.')) assert.ok(original.includes(Buffer.from(bytes).toString('base64')));
      }
    }
    assert.ok(filesIn(answers[0]).length > 10);
    assert.deepEqual(
      filesIn(answers[5]).map(bytes => FileDescriptorProto.decode(bytes).name),
      ['google/protobuf/duration.proto'],
    );
  });

  test(`${version} gives files by name, and says what it does not know`, async t => {
    const ask = await start(t);
    const [known, unknownFile, unknownSymbol, extensions] = await ask(
      [asks.fileByFilename, 'ftft/v1/run.proto'],
      [asks.fileByFilename, 'none.proto'],
      [asks.fileContainingSymbol, 'ftft.v1.None'],
      [asks.extensionNumbers, 'ftft.v1.Run'],
    );
    assert.ok(filesIn(known).some(bytes => FileDescriptorProto.decode(bytes).name === 'ftft/v1/run.proto'));
    for (const fields of [unknownFile, unknownSymbol])
      assert.equal(fieldsOf(fields.get(7)?.[0] as Uint8Array).get(1)?.[0], 5);
    assert.equal(text(fieldsOf(extensions.get(5)?.[0] as Uint8Array).get(1)?.[0]), 'ftft.v1.Run');
  });
}

const grpcurl = await run('grpcurl', ['-version']).then(
  () => false as const,
  () => 'needs grpcurl on the PATH: go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest',
);

test('grpcurl describes every service, calls them, and reads error details', {skip: grpcurl}, async t => {
  const {address, runs} = await startTestServer(t);
  runs.records.set('ref', runRecord('ref'));
  const call = async (...args: string[]) => (await run('grpcurl', ['-plaintext', ...args])).stdout;
  assert.match(
    await call(address, 'describe', 'ftft.v1.StreamDynamicsRequest'),
    /\.google\.protobuf\.Duration heartbeat/,
  );
  assert.match(await call(address, 'describe'), /rpc ServerReflectionInfo/);
  assert.match(await call(address, 'grpc.health.v1.Health/Check'), /SERVING/);
  assert.match(
    await call('-d', '{"name":"runs/ref"}', address, 'ftft.v1.FtftService/GetRun'),
    /"executionTimeout": "1.500s"/,
  );
  const failing = call('-d', '{"name":"runs/none"}', address, 'ftft.v1.FtftService/GetRun');
  await assert.rejects(failing, ({stderr}: {stderr: string}) => /"reason": ?"RUN_NOT_FOUND"/.test(stderr));
});
