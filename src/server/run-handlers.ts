// TrainReference, FineTuneMain and the life of a run: check, ask runs, translate.

import {FtftError} from '../errors.js';
import type {Page} from '../runs/api.js';
import {type Caller, checkOwn} from './access/caller.js';
import type {CallExtension} from './call-errors.js';
import {draining, type ServerContext} from './context.js';
import {FilterError} from './filter-tokens.js';
import {
  FineTuneMainRequest,
  type FtftServiceImplementation,
  ListRunsResponse,
  TrainReferenceRequest,
} from './gen/ftft/v1/ftft_service.js';
import {fittingPage} from './page-size.js';
import {RequestChecks} from './request-checks.js';
import {createOnce, requestKey} from './request-key.js';
import {parseRunFilter, type RunFilter} from './run-filter.js';
import {fromEarlyStopping, fromMethod} from './translate-main.js';
import {toRun} from './translate-run.js';
import {fromSpec} from './translate-spec.js';

/** For what is wrong with a request alone. */
const dryRun = {validateOnly: true, wantsEstimate: false, request: undefined};

/** WaitRun without a timeout returns the run as it is after this time. */
const longestWaitMs = 10 * 60_000;

type Handlers = Pick<
  FtftServiceImplementation<CallExtension>,
  | 'trainReference'
  | 'fineTuneMain'
  | 'getRun'
  | 'listRuns'
  | 'waitRun'
  | 'cancelRun'
  | 'suspendRun'
  | 'resumeRun'
  | 'deleteRun'
>;

export function runHandlers({runs, drain}: Pick<ServerContext, 'runs' | 'drain'>): Handlers {
  const ownRun = async (what: string, name: string, caller: Caller): Promise<string> => {
    const id = checkedName(what, name);
    checkOwn(what, caller, (await runs.getRun(id)).caller);
    return id;
  };
  return {
    async trainReference(request, {traceParent, caller}) {
      const checks = new RequestChecks('Cannot train a reference model');
      const id = checks.id('run_id', request.runId);
      checks.requestId(request.requestId);
      checks.labels(request.labels);
      const creation = {
        id,
        spec: fromSpec(request.spec, checks),
        labels: request.labels,
        request: requestKey('TrainReference', TrainReferenceRequest, request, id),
        validateOnly: request.validateOnly,
        wantsEstimate: request.validateOnly,
        traceParent,
        caller: caller.name,
      };
      await throwAllViolations(checks, () => runs.trainReference({...creation, ...dryRun}));
      return {run: toRun(await createOnce(creation.request, runNamed(id), () => runs.trainReference(creation)))};
    },

    async fineTuneMain(request, {traceParent, caller}) {
      const checks = new RequestChecks('Cannot fine-tune the main model');
      const id = checks.id('run_id', request.runId);
      checks.requestId(request.requestId);
      checks.labels(request.labels);
      const method = fromMethod(request.method, checks);
      const needsNoMap = method === 'erm' && request.dataMap === '';
      const creation = {
        id,
        method,
        dataMap: needsNoMap ? '' : checks.name('data_map', 'dataMaps', request.dataMap),
        spec: fromSpec(request.spec, checks),
        budget: budgetOf(request, checks),
        earlyStopping: fromEarlyStopping(request.earlyStopping, checks),
        labels: request.labels,
        request: requestKey('FineTuneMain', FineTuneMainRequest, request, id),
        validateOnly: request.validateOnly,
        wantsEstimate: request.validateOnly,
        traceParent,
        caller: caller.name,
      };
      await throwAllViolations(checks, () => runs.fineTuneMain({...creation, ...dryRun}));
      return {run: toRun(await createOnce(creation.request, runNamed(id), () => runs.fineTuneMain(creation)))};
    },

    async getRun({name}) {
      return toRun(await runs.getRun(checkedName('Cannot get a run', name)));
    },

    async listRuns(request) {
      const checks = new RequestChecks('Cannot list runs');
      const page = checks.page(request);
      const matches = request.filter === '' ? undefined : checkedFilter(checks, request.filter);
      checks.throwIfAny();
      const read = async (page: Page) => {
        const {runs: records, nextPageToken} = await runs.listRuns(page, matches);
        return {runs: records.map(toRun), nextPageToken};
      };
      return await fittingPage(page, ListRunsResponse, read, ({runs}) => runs.length);
    },

    async waitRun(request, {signal}) {
      const checks = new RequestChecks('Cannot wait for a run');
      const id = checks.name('name', 'runs', request.name);
      const timeoutMs = checks.duration('timeout', request.timeout, 0) ?? longestWaitMs;
      checks.throwIfAny();
      const stop = AbortSignal.any([signal, drain]);
      try {
        const record = await runs.waitRun(id, request.etag, Math.min(timeoutMs, longestWaitMs), stop);
        if (!stop.aborted) return toRun(record);
      } catch (error) {
        if (!drain.aborted) throw error;
      }
      signal.throwIfAborted();
      throw draining('Cannot go on waiting for the run');
    },

    async cancelRun({name, etag}, {caller}) {
      const id = await ownRun('Cannot cancel a run', name, caller);
      return toRun(await runs.cancelRun(id, etag));
    },

    async suspendRun({name, etag}, {caller}) {
      const id = await ownRun('Cannot suspend a run', name, caller);
      return toRun(await runs.suspendRun(id, etag));
    },

    async resumeRun({name, etag}, {caller}) {
      const id = await ownRun('Cannot resume a run', name, caller);
      return toRun(await runs.resumeRun(id, etag));
    },

    async deleteRun({name, etag, allowMissing}) {
      await runs.deleteRun(checkedName('Cannot delete a run', name), {etag, allowMissing});
      return {};
    },
  };
}

function checkedName(what: string, name: string): string {
  const checks = new RequestChecks(what);
  const id = checks.name('name', 'runs', name);
  checks.throwIfAny();
  return id;
}

const runNamed = (id: string | undefined) => ({type: 'Run', name: `runs/${id ?? ''}`}) as const;

function budgetOf({stepBudget}: FineTuneMainRequest, checks: RequestChecks) {
  if (!stepBudget) return undefined;
  if (stepBudget.$case === 'maxSteps') {
    if (stepBudget.value < 1) checks.violate('max_steps', `must be at least 1, current value is ${stepBudget.value}`);
    return {maxSteps: stepBudget.value};
  }
  if (!(stepBudget.value > 0 && stepBudget.value <= 1))
    checks.violate('step_fraction', `must be more than 0 and at most 1, current value is ${stepBudget.value}`);
  return {stepFraction: stepBudget.value};
}

/** A caller hears of all violations at once: when the shape is broken, runs/ is asked for its own with a dry run. */
export async function throwAllViolations(checks: RequestChecks, dryRun: () => Promise<unknown>): Promise<void> {
  if (checks.isBroken) {
    const error = await dryRun().then(
      () => undefined,
      (error: unknown) => error,
    );
    if (error instanceof FtftError && error.details.reason === 'INVALID_FIELD') {
      const known = new Set(checks.violations.map(({field}) => field));
      for (const {field, description} of error.details.violations ?? [])
        if (!known.has(field)) checks.violate(field, description);
    }
  }
  checks.throwIfAny();
}

function checkedFilter(checks: RequestChecks, filter: string): RunFilter | undefined {
  try {
    return parseRunFilter(filter);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    checks.violate('filter', error.message);
    return undefined;
  }
}
