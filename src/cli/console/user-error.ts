/** Errors that speak to the user: one sentence, one line, no stack. */

/**
 * Something the user can put right. `exitCode` 1: the work failed; 2: it was asked for in a wrong
 * way.
 */
export class UserError extends Error {
  readonly exitCode: 1 | 2;
  /**
   * The sentence has been printed already (by a program that was started), and must not appear
   * twice.
   */
  readonly shown: boolean;
  constructor(
    message: string,
    options: { exitCode?: 1 | 2; shown?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'UserError';
    this.exitCode = options.exitCode ?? 1;
    this.shown = options.shown ?? false;
  }
}

/** Work on a flag's value; what is wrong with it is bad usage, and says whose it is. */
export function ofFlag<T>(flag: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new UserError(`${flag}: ${(error as Error).message}`, { exitCode: 2 });
  }
}

/** Thrown at a step's edge after SIGINT or SIGTERM, once what is worth keeping has been saved. */
export class Interrupted extends Error {
  readonly exitCode: 130 | 143;
  constructor(
    signal: 'SIGINT' | 'SIGTERM',
    message = signal === 'SIGINT' ? 'stopped by Ctrl+C' : 'stopped by SIGTERM',
  ) {
    super(message);
    this.name = 'Interrupted';
    this.exitCode = signal === 'SIGINT' ? 130 : 143;
  }
}

const systemErrors: Record<string, string> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or folder',
  EEXIST: 'it exists already',
  EISDIR: 'it is a folder, and a file was expected',
  ENOTDIR: 'a part of the path is a file, and a folder was expected',
  EMFILE: 'too many open files',
};

function systemSentence(error: NodeJS.ErrnoException): string | null {
  const code = error.code === 'EEXIST' && error.syscall === 'mkdir' ? 'ENOTDIR' : error.code;
  const reason = code === undefined ? undefined : systemErrors[code];
  if (reason === undefined) return null;
  const path = error.path ?? (error as { dest?: string }).dest;
  return path === undefined ? `${reason} (${error.syscall ?? error.code})` : `${path}: ${reason}`;
}

/** Thrown by the language or by an assertion, hence by a mistake of ours and not by the user's. */
function isDefect(error: Error): boolean {
  return (
    [TypeError, ReferenceError, RangeError, EvalError].some((kind) => error instanceof kind) ||
    ['ERR_ASSERTION', 'ERR_MODULE_NOT_FOUND'].includes((error as { code?: string }).code ?? '')
  );
}

/** The error as one line, with what to do next where the message itself does not say. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const message = (systemSentence(error) ?? error.message).replace(/\s*\n\s*/g, ' ').trim();
  if (!isDefect(error)) return message === '' ? error.name : message;
  return `${error.name}: ${message} (a defect in heartbeat; HEARTBEAT_DEBUG=1 prints where)`;
}

/** The exit code that an error asks for; 1 for any error that asks for none. */
export function exitCodeOf(error: unknown): number {
  return error instanceof UserError || error instanceof Interrupted ? error.exitCode : 1;
}
