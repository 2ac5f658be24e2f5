// The life of a run, as a table. Terminal states lead nowhere.

const transitions = {
  PENDING: ['RUNNING', 'CANCELLED'],
  RUNNING: ['SUCCEEDED', 'FAILED', 'CANCELLING', 'SUSPENDED', 'PENDING'],
  CANCELLING: ['CANCELLED', 'SUCCEEDED', 'FAILED'],
  SUSPENDED: ['PENDING', 'CANCELLED'],
  SUCCEEDED: [],
  FAILED: [],
  CANCELLED: [],
} as const;

export type RunState = keyof typeof transitions;

export const isTerminal = (state: RunState): boolean => transitions[state].length === 0;

export const mayBecome = (from: RunState, to: RunState): boolean =>
  (transitions[from] as readonly RunState[]).includes(to);
