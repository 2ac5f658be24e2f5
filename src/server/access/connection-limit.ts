// The connections of one port, counted: those beyond the limit are closed before a byte of theirs is read.
import {subscribe, unsubscribe} from 'node:diagnostics_channel';
import type {Socket} from 'node:net';

const channel = 'net.server.socket';

/** grpc-js keeps its server to itself; Node tells of each accepted socket. Returns what ends the limit. */
export function limitConnections(port: number, most: number, refused: () => void): () => void {
  let numOpen = 0;
  const accepted = (message: unknown) => {
    const {socket} = message as {socket: Socket};
    if (socket.localPort !== port) return;
    if (numOpen >= most) {
      refused();
      socket.destroy();
      return;
    }
    numOpen++;
    socket.once('close', () => {
      numOpen--;
    });
  };
  subscribe(channel, accepted);
  return () => void unsubscribe(channel, accepted);
}
