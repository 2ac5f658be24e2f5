// Seeds by which a test asks the fake trainer for trouble.
export const faults = {slow: 1000, notFinite: 1001, bug: 1002, outOfMemory: 1003, dies: 1004, diskFull: 1005} as const;
