// RPC → the role that it takes. Checked before anything is looked up, so that a refusal tells nothing of what exists.
import type {FtftServiceDefinition} from '../gen/ftft/v1/ftft_service.js';

/** Each may do what those before it may. */
export const roles = ['viewer', 'trainer', 'admin'] as const;
export type Role = (typeof roles)[number];

type Rpc = keyof (typeof FtftServiceDefinition)['methods'];

/** A trainer stops, suspends and resumes the runs that it started; an admin all of them. */
export const roleOfRpc: Record<Rpc, Role> = {
  getDataset: 'viewer',
  listDatasets: 'viewer',
  getRun: 'viewer',
  listRuns: 'viewer',
  waitRun: 'viewer',
  streamDynamics: 'viewer',
  getDataMap: 'viewer',
  listDataMaps: 'viewer',
  readDataMap: 'viewer',
  compareDataMaps: 'viewer',
  readInstances: 'viewer',
  importDataset: 'trainer',
  importDynamics: 'trainer',
  trainReference: 'trainer',
  buildDataMap: 'trainer',
  fineTuneMain: 'trainer',
  cancelRun: 'trainer',
  suspendRun: 'trainer',
  resumeRun: 'trainer',
  deleteRun: 'admin',
};

export const hasRole = (role: Role | undefined, needed: Role): boolean =>
  role !== undefined && roles.indexOf(role) >= roles.indexOf(needed);

export const isRole = (value: unknown): value is Role => roles.some(role => role === value);
