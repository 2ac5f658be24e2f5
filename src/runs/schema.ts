// The schema, as migrations: number i leads from version i to i + 1. Every engine has the same tables.

/** Words of the engine. */
export interface Dialect {
  bytes: string;
  /** Of 64 bits. */
  integer: string;
  /** What follows a table. */
  tableEnd: string;
  /** Statements of the engine's own, after the first tables. */
  tuning: string;
  /** Expression for a text in a column of JSON. */
  jsonText: (column: string, key: string) => string;
}

export function migrations({bytes, integer, tableEnd, tuning, jsonText}: Dialect): string[] {
  return [
    `create table settings (name text primary key, value ${bytes} not null)${tableEnd};
     create table runs (
       id text primary key, uid text not null unique, request_id text unique, request_digest text,
       kind text not null, state text not null, priority ${integer} not null default 0,
       created_at ${integer} not null unique, record text not null, version ${integer} not null default 1,
       attempt ${integer} not null default 0, lost_leases ${integer} not null default 0,
       lease_owner text, lease_until ${integer}, next_seq ${integer} not null default 1)${tableEnd};
     create index runs_by_state on runs (state, priority desc, created_at);
     create table events (
       run_id text not null, seq ${integer} not null, attempt ${integer} not null, kind text not null, epoch ${integer},
       body ${bytes} not null, primary key (run_id, seq))${tableEnd};
     create index epoch_marks on events (run_id, seq, kind, epoch)
       where kind in ('epoch-started', 'epoch-committed', 'epochs-discarded');
     create table datasets (
       id text primary key, uid text not null unique, created_at ${integer} not null unique,
       record text not null)${tableEnd};
     create table splits (
       dataset text not null, name text not null, position ${integer} not null, file text not null, record text not null,
       primary key (dataset, name))${tableEnd};
     create table data_maps (
       id text primary key, request_id text unique, request_digest text, file text not null, identity text not null,
       record text not null)${tableEnd};
     ${tuning}`,
    `create table run_instances (
       run_id text not null, part ${integer} not null, body ${bytes} not null, primary key (run_id, part))${tableEnd};`,
    `alter table runs add column append_key text;
     alter table runs add column append_seq ${integer};`,
    `alter table data_maps add column run text not null default '';
     alter table data_maps add column number ${integer} not null default 0;
     update data_maps set run = ${jsonText('record', 'run')},
       number = (select count(*) from data_maps others where others.id <= data_maps.id);
     create unique index data_maps_by_number on data_maps (number);
     create index data_maps_by_run on data_maps (run, number);`,
    'alter table runs add column caller text;',
    `alter table runs add column ended_at ${integer};
     create table removals (
       kind text not null, name text not null, since ${integer} not null, primary key (kind, name))${tableEnd};`,
    `create table doomed_blobs (
       kind text not null, name text not null, since ${integer} not null, primary key (kind, name))${tableEnd};
     create table sweeps (name text primary key, owner text not null, until ${integer} not null)${tableEnd};`,
  ];
}

/** Of a database whose schema this program does not know. */
export const newerSchema = (where: string, known: number, found: number): string =>
  `Cannot open ${where}: its schema must be of version ${known} or older, it is of version ${found}; use the program that wrote it, or a newer one`;
