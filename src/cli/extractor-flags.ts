/** Flags that choose what follows tissue and draws sketches, of `prepare`, `train`, `sample`, `evaluate`. */
import { Option, type Command } from 'commander';
import type { ExtractorsConfig } from '../extractors/extractors.ts';
import { UserError } from './console/user-error.ts';

export interface ExtractorFlags {
  readonly flowExtractor?: 'farneback' | 'raft';
  readonly flowWeights?: string;
  readonly sketchExtractor?: 'builtin' | 'pidinet';
  readonly sketchWeights?: string;
}

/** What follows tissue in a video, and what draws the sketch of a frame. */
export function addExtractorFlags(command: Command): Command {
  return command
    .addOption(new Option('--flow-extractor <name>', 'follows a video (default: farneback)')
      .choices(['farneback', 'raft']))
    .option('--flow-weights <file>', 'of raft: RAFT-small, raft-small.pth (docs/conditions.md)')
    .addOption(new Option('--sketch-extractor <name>', 'draws a frame (default: builtin)')
      .choices(['builtin', 'pidinet']))
    .option('--sketch-weights <file>', 'of pidinet: table5_pidinet.pth (docs/conditions.md)');
}

/**
 * The part of the configuration that the flags name. Throws (exit 2) for a network without weights
 * and for weights without a network.
 */
export function extractorsOf(flags: ExtractorFlags): Partial<ExtractorsConfig> {
  const { flowExtractor, flowWeights, sketchExtractor, sketchWeights } = flags;
  const raft = weightsOf('flow', 'raft', flowExtractor, flowWeights);
  const pidinet = weightsOf('sketch', 'pidinet', sketchExtractor, sketchWeights);
  return {
    ...(raft !== null ? { flow: { raft } } : flowExtractor ? { flow: 'farneback' } : {}),
    ...(pidinet !== null ? { sketch: { pidinet } } : sketchExtractor ? { sketch: 'builtin' } : {}),
  };
}

/** The same as overrides of a training's configuration. */
export function extractorOverrides(flags: ExtractorFlags): string[] {
  return Object.entries(extractorsOf(flags)).map(([kind, choice]) =>
    `extractors.${kind}=${JSON.stringify(choice)}`);
}

function weightsOf(
  kind: string, network: string, chosen: string | undefined, weights: string | undefined,
): string | null {
  if (chosen === network && weights !== undefined) return weights;
  if (chosen !== network && weights === undefined) return null;
  throw new UserError(
    weights === undefined
      ? `--${kind}-extractor ${network}: expected the file of its weights (--${kind}-weights), got none`
      : `--${kind}-weights ${weights}: expected --${kind}-extractor ${network} with it, ` +
        `got ${chosen ?? 'none'}`,
    { exitCode: 2 },
  );
}
