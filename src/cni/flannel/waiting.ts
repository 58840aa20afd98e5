/**
 * Why there is no subnet.env, as the agent has left it beside where that will be.
 *
 * @module
 */
import { readFile } from '../../../ffi/files.ts';

import { type WaitingNote, waitingPathOf } from '../../model/waiting-note.ts';
import { isJsonObject } from '../json.ts';

/** What a runtime shows of it. */
const SHOWN_LENGTH_MAX = 1_000;

/** What is wrong and what to do about it, for the error of the plugin. */
export interface Absence {
  readonly msg: string;
  readonly details: string;
}

/** Says it for a subnet.env that is not there. */
export function explainAbsence(subnetFile: string): Absence {
  const note = readNote(waitingPathOf(subnetFile));
  if (note !== undefined) {
    const { message, remedy, since } = note;
    const waited = durationText(Math.max(0, uptimeSeconds() - since));
    return {
      msg: `this node has no pod subnet: the agent has waited ${waited}: ${message}`,
      details: remedy,
    };
  }
  return {
    msg: `the agent has not written ${subnetFile} yet: this node has no pod subnet`,
    details:
      "It has not run since the start of this node, or was stopped; 'systemctl status flannelette' says whether it runs",
  };
}

function readNote(path: string): WaitingNote | undefined {
  const value = parse(readFile(path));
  const { message, remedy, since } = isJsonObject(value) ? value : {};
  if (typeof message !== 'string' || typeof remedy !== 'string') return undefined;
  if (typeof since !== 'number' || !Number.isFinite(since)) return undefined;
  return { message: message.slice(0, SHOWN_LENGTH_MAX), remedy: remedy.slice(0, SHOWN_LENGTH_MAX), since };
}

function parse(text: string | number): unknown {
  try {
    return typeof text === 'string' ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

/** As the agent counts it (proc_uptime(5)). */
function uptimeSeconds(): number {
  return Number.parseFloat(String(readFile('/proc/uptime')));
}

/** Two units would say no more. */
function durationText(seconds: number): string {
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  return seconds < 7_200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3_600)} h`;
}
