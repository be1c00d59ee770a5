/**
 * Verbs are imported when they are asked for, so that help stays quick: only names and summaries
 * are known before.
 */
import { Command, CommanderError } from 'commander';
import { unknownName } from '../../training/nearest-name.ts';
import { UserError } from './user-error.ts';

export interface VerbModule {
  /**
   * Adds description, flags, examples and action to the verb's own command (its name and summary
   * are set).
   */
  register(command: Command): void | Promise<void>;
}

export interface Verb {
  readonly name: string;
  /** One line for the list in the help. */
  readonly summary: string;
  /** Whether its action works with tensors: the addon is then set up first. */
  readonly tensors: boolean;
  load(): Promise<VerbModule>;
}

const needsTensors = new WeakSet<Command>();
const remaining = new WeakMap<Command, readonly string[]>();

/** The first word that is no flag, and what follows it. */
function wantedVerb(args: readonly string[]): { name: string; rest: readonly string[] } | null {
  const at = args.findIndex((word) => !word.startsWith('-'));
  return at < 0 ? null : { name: args[at], rest: args.slice(at + 1) };
}

/**
 * Adds `verbs` to `parent`, and imports the one that `args` (the arguments behind the parent's
 * name) asks for. A verb that has verbs of its own calls this again from its `register` with
 * `remainingArguments(command)`.
 */
export async function attachVerbs(
  parent: Command,
  verbs: readonly Verb[],
  args: readonly string[],
): Promise<void> {
  const wanted = wantedVerb(args);
  for (const verb of verbs) {
    const command = parent.command(verb.name).summary(verb.summary).description(verb.summary);
    command.helpCommand(false);
    if (verb.tensors) needsTensors.add(command);
    if (wanted?.name === verb.name) {
      remaining.set(command, wanted.rest);
      await (await verb.load()).register(command);
    }
  }
  if (wanted !== null && !verbs.some((verb) => verb.name === wanted.name)) {
    const kind = parent.parent === null ? 'command' : `"${parent.name()}" command`;
    throw new UserError(
      `${unknownName(
        kind,
        wanted.name,
        verbs.map((verb) => verb.name),
      )} (see ${fullName(parent)} --help)`,
      { exitCode: 2 },
    );
  }
}

/** The arguments behind a verb's name, for verbs that attach verbs of their own. */
export function remainingArguments(command: Command): readonly string[] {
  return remaining.get(command) ?? [];
}

/** Whether the verb or one above it was declared with `tensors: true`. */
export function usesTensors(command: Command): boolean {
  for (let at: Command | null = command; at !== null; at = at.parent) {
    if (needsTensors.has(at)) return true;
  }
  return false;
}

function fullName(command: Command): string {
  return command.parent === null
    ? `./${command.name()}`
    : `${fullName(command.parent)} ${command.name()}`;
}

/**
 * Throws when a flag is unknown to the verb that `args` names. Asked before commander parses: it
 * would complain of a missing flag first, when the missing one is the misspelt one.
 */
export function refuseUnknownFlags(program: Command, args: readonly string[]): void {
  const words = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  if (words.includes('--help') || words.includes('-h')) return;
  let command = program;
  for (const word of words.filter((text) => !text.startsWith('-'))) {
    command = command.commands.find((child) => child.name() === word) ?? command;
  }
  const known = ['--help', ...command.options.flatMap((option) => option.long ?? [])];
  for (const word of words) {
    const flag = word.split('=')[0];
    if (!flag.startsWith('--') || known.includes(flag)) continue;
    throw new UserError(`${unknownName('flag', flag, known)} (see ${fullName(command)} --help)`, {
      exitCode: 2,
    });
  }
}

/** A commander complaint as one line: `unknown option '--pateints' (Did you mean --patients?)`. */
export function oneLine(error: CommanderError): string {
  return error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .trim();
}
