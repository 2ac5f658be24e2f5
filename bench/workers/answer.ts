// Requests as JSON lines on standard input → answers as JSON lines on standard output, an error as {"error": …}, until the input ends.
import {createInterface} from 'node:readline';

/** One a request, by its `do`; the rest of the request is the argument. */
// biome-ignore lint/suspicious/noExplicitAny: each handler names the request that it takes; what comes is our own protocol.
export type Handlers = Record<string, (request: any) => object | Promise<object>>;

export async function answer(handlers: Handlers): Promise<void> {
  for await (const line of createInterface({input: process.stdin})) {
    const {do: name, ...request} = JSON.parse(line);
    process.stdout.write(`${JSON.stringify(await attempt(() => handlers[name](request)))}\n`);
  }
}

async function attempt(work: () => object | Promise<object>): Promise<object> {
  try {
    return await work();
  } catch (error) {
    return {error: error instanceof Error ? error.message : String(error)};
  }
}
