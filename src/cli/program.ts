// The command line → one verb → an exit code. What each verb does is in its own file.
import {Command, CommanderError} from 'commander';
import {readConfig} from '../config.js';
import {addCompare} from './compare-command.js';
import {addBuildDataMap, addCompareDataMaps} from './data-map-command.js';
import {addDataMaps} from './data-maps-command.js';
import {addDemo} from './demo-command.js';
import {addExport} from './export-command.js';
import {addExportDynamics} from './export-dynamics-command.js';
import {addExportMap, addExportSubset} from './export-map-command.js';
import {addImport} from './import-command.js';
import {addImportDynamics} from './import-dynamics-command.js';
import {addImportFolder} from './import-folder-command.js';
import {addImportKnown} from './import-known-command.js';
import type {Io} from './io.js';
import {exitCodesHelp, reportError} from './report-error.js';
import {addRuns} from './runs-command.js';
import {addServe, addWorker} from './serve-command.js';
import {addToken} from './token-command.js';
import {addFineTuneMain, addTrainReference} from './training-commands.js';
import {addWatch} from './watch-command.js';

/** Why the process was asked to stop: 128 + the signal's number is what it exits with. */
export class Interruption extends Error {
  constructor(readonly exitCode: number) {
    super('Stopped');
  }
}

/** Runs one command line, without the two words before it; resolves to the exit code and never throws. */
export async function ftft(args: string[], io: Io): Promise<number> {
  let program: Command | undefined;
  try {
    program = createProgram(io);
    await program.parseAsync(args, {from: 'user'});
    return io.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (io.signal.aborted) return io.signal.reason instanceof Interruption ? io.signal.reason.exitCode : 130;
    const {lines, exitCode} = reportError(error, addressOf(args, io));
    io.stderr.write(`error: ${lines.join('\n')}\n`);
    return exitCode;
  }
}

function createProgram(io: Io): Command {
  const program = new Command('ftft');
  program
    .description(
      'Fine-tuning by transferring training dynamics: a small reference model watches the data, the main model trains on the ambiguous third',
    )
    .exitOverride()
    .configureOutput({writeOut: text => io.stdout.write(text), writeErr: text => io.stderr.write(text)})
    .showHelpAfterError('(see --help)')
    .addHelpText('after', `\nExample:\n  $ ftft demo\n${exitCodesHelp}`);
  for (const add of [
    addServe,
    addWorker,
    addImport,
    addImportFolder,
    addImportKnown,
    addImportDynamics,
    addTrainReference,
    addWatch,
    addBuildDataMap,
    addDataMaps,
    addCompareDataMaps,
    addFineTuneMain,
    addRuns,
    addExport,
    addExportMap,
    addExportDynamics,
    addExportSubset,
    addToken,
    addCompare,
    addDemo,
  ])
    add(program, io);
  return program;
}

/** For the message only: nobody answered there. */
function addressOf(args: string[], io: Io): string {
  const at = args.findIndex(arg => arg === '--address' || arg.startsWith('--address='));
  if (at >= 0) return args[at].includes('=') ? args[at].slice('--address='.length) : args[at + 1];
  try {
    return `127.0.0.1:${readConfig(io.env).grpcPort}`;
  } catch {
    return 'its address';
  }
}
