// The life of a run, as a table. Terminal states lead nowhere.

const transitions = {
  PENDING: ['RUNNING', 'SUSPENDED', 'CANCELLED'],
  RUNNING: ['SUCCEEDED', 'FAILED', 'CANCELLING', 'SUSPENDING', 'PENDING'],
  SUSPENDING: ['SUSPENDED', 'RUNNING', 'CANCELLING', 'SUCCEEDED', 'FAILED'],
  CANCELLING: ['CANCELLED', 'SUCCEEDED', 'FAILED'],
  SUSPENDED: ['PENDING', 'CANCELLED'],
  SUCCEEDED: [],
  FAILED: [],
  CANCELLED: [],
} as const;

export type RunState = keyof typeof transitions;

export const runStates = Object.keys(transitions) as RunState[];
export const terminalStates = runStates.filter(state => transitions[state].length === 0);

export const isTerminal = (state: RunState): boolean => terminalStates.includes(state);

/** States in which a worker holds the run's lease. */
export const heldStates = ['RUNNING', 'SUSPENDING', 'CANCELLING'] as const;

export const isHeld = (state: RunState): boolean => (heldStates as readonly RunState[]).includes(state);

export const mayBecome = (from: RunState, to: RunState): boolean =>
  (transitions[from] as readonly RunState[]).includes(to);
