/** The names of upstream's tensors, as they became over the years, to ours. */
import { listed } from './config-files.ts';

/** The networks whose weights others have published. */
export const upstreamNetworks = ['unet', 'vae', 'text_encoder', 'image_encoder'] as const;
export type UpstreamNetwork = (typeof upstreamNetworks)[number];

interface Layout {
  /** What all its names begin with in such a file; the first that occurs decides. */
  readonly prefix: string;
  /** Parts of the same file that are other networks. */
  readonly others: readonly RegExp[];
  /** First match wins; applied to the name behind the prefix. */
  readonly renamed: readonly (readonly [RegExp, string])[];
  /** Buffers that hold nothing learnt. */
  readonly dropped: readonly RegExp[];
}

// diffusers before 0.18 named the attention of the autoencoder after LDM.
const attention: Layout['renamed'] = [
  [/(mid_block\.attentions\.0)\.query\./, '$1.to_q.'], [/(mid_block\.attentions\.0)\.key\./, '$1.to_k.'],
  [/(mid_block\.attentions\.0)\.value\./, '$1.to_v.'], [/(mid_block\.attentions\.0)\.proj_attn\./, '$1.to_out.0.'],
];
const positionIds = /^embeddings\.position_ids$/;
const samOthers = [/^prompt_encoder\./, /^mask_decoder\./, /^shared_image_embedding\./];
// transformers' names of SAM's image encoder to segment_anything's.
const samNames: Layout['renamed'] = [
  [/^patch_embed\.projection\./, 'patch_embed.proj.'],
  [/^layers\.(\d+)\.layer_norm(\d)\./, 'blocks.$1.norm$2.'], [/^layers\./, 'blocks.'],
  [/^neck\.conv1\./, 'neck.0.'], [/^neck\.layer_norm1\./, 'neck.1.'],
  [/^neck\.conv2\./, 'neck.2.'], [/^neck\.layer_norm2\./, 'neck.3.'],
];

const plain = (prefix: string, more: Partial<Layout> = {}): Layout =>
  ({ prefix, others: [], renamed: [], dropped: [], ...more });

const layouts: Readonly<Record<UpstreamNetwork, readonly Layout[]>> = {
  unet: [plain('')],
  vae: [plain('', { renamed: attention })],
  text_encoder: [
    plain('text_model.', {
      others: [/^vision_model\./, /^visual_projection\./, /^text_projection\./, /^logit_scale$/],
      dropped: [positionIds],
    }),
    plain('', { dropped: [positionIds] }),
  ],
  image_encoder: [
    plain('image_encoder.', { others: samOthers }),
    plain('vision_encoder.', { others: samOthers, renamed: samNames }),
    plain('', { renamed: samNames }),
  ],
};

/** What our names begin with where upstream's newer files leave it out. */
const ourPrefix: Readonly<Record<UpstreamNetwork, string>> = {
  unet: '', vae: '', text_encoder: 'text_model.', image_encoder: '',
};

export interface Naming {
  /** Of the names in the file that belong to this network. */
  readonly prefix: string;
  /** Name in the file -> our key. */
  readonly keys: ReadonlyMap<string, string>;
}

/**
 * Our keys of the names in a file.
 *
 * @throws when a name belongs neither to the network nor to another that such files hold, or two
 *   names mean one key
 */
export function ourKeys(network: UpstreamNetwork, file: string, names: Iterable<string>): Naming {
  const all = [...names];
  const layout = layouts[network].find(({ prefix }) => all.some((name) => name.startsWith(prefix)));
  if (layout === undefined) throw new Error(`${file}: expected the weights of ${network}, got no tensor`);
  const keys = new Map<string, string>();
  const taken = new Map<string, string>();
  const strangers: string[] = [];
  for (const name of all) {
    if (!name.startsWith(layout.prefix)) {
      if (!layout.others.some((other) => other.test(name))) strangers.push(name);
      continue;
    }
    const short = name.slice(layout.prefix.length);
    if (layout.dropped.some((dropped) => dropped.test(short))) continue;
    const rename = layout.renamed.find(([pattern]) => pattern.test(short));
    const key = ourPrefix[network] + (rename === undefined ? short : short.replace(...rename));
    const twin = taken.get(key);
    if (twin !== undefined) throw new Error(`${file}: expected one tensor for ${key}, got ${twin} and ${name}`);
    taken.set(key, name);
    keys.set(name, key);
  }
  if (strangers.length > 0) {
    throw new Error(`${file}: expected the weights of ${network} below ${layout.prefix}, ` +
      `got ${strangers.length} more: ${listed(strangers)}`);
  }
  return { prefix: layout.prefix, keys };
}
