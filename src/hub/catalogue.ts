/**
 * The public pretrained weights that the paper starts from, as they lie on the Hugging Face Hub.
 *
 * Revisions, sizes and hashes are those that public pages show; `null` is what no page showed, and
 * is printed as `unpinned`. The Inception network of FID is not here: it is a file of a release on
 * GitHub (docs/weights.md), and no repository of the Hub was found that is known to hold it.
 */

/** Two storage types of one network, in diffusers' word for the choice (`variant`). */
export type Variant = 'fp32' | 'fp16';

export interface WeightFile {
  /** Path inside the repository, with `/`. */
  readonly path: string;
  /** Bytes. */
  readonly size: number | null;
  /** The Hub's own name of the content: sha256 (64 digits) of a large file, git blob id (40) of a small one. */
  readonly hash: string | null;
  /** Only fetched for this variant; without it, always. */
  readonly variant?: Variant;
}

export interface Weight {
  readonly name: string;
  /** What it is for, in a line. */
  readonly purpose: string;
  /** `organisation/name`. */
  readonly repository: string;
  /** The commit that is fetched; null: the head of `main`. */
  readonly revision: string | null;
  readonly licence: string;
  readonly files: readonly WeightFile[];
}

const stableDiffusion = {
  repository: 'stable-diffusion-v1-5/stable-diffusion-v1-5',
  revision: '451f4fe16113bff5a5d2269ed5ad43b0592e9a14',
  licence: 'CreativeML OpenRAIL-M: its use restrictions hold for what is trained from it, too',
} as const;

export const weights: readonly Weight[] = [
  {
    name: 'sd15-unet',
    purpose: 'the image network of Stable Diffusion 1.5 and its schedule: where stage 1 starts',
    ...stableDiffusion,
    files: [
      file('model_index.json', 541, 'daf7e2e2dfc64fb437a2b44525667111b00cb9fc'),
      file('scheduler/scheduler_config.json', 308, '82d05b0e688d7ea94675678646c427907419346e'),
      file('unet/config.json', 743, '1a02ee8abc93e840ffbcb2d68b66ccbcb74b3ab3'),
      file('unet/diffusion_pytorch_model.safetensors', 3_438_167_540,
        '19da7aaa4b880e59d56843f1fcb4dd9b599c28a1d9d9af7c1143057c8ffae9f1', 'fp32'),
      file('unet/diffusion_pytorch_model.fp16.safetensors', 1_719_125_304,
        'c83908253f9a64d08c25fc90874c9c8aef9a329ce1ca5fb909d73b0c83d1ea21', 'fp16'),
    ],
  },
  {
    name: 'sd15-vae',
    purpose: 'the autoencoder of Stable Diffusion 1.5: pictures to latents and back',
    ...stableDiffusion,
    files: [
      file('vae/config.json', 547, '55d78924fee13e4220f24320127c5f16284e13b9'),
      file('vae/diffusion_pytorch_model.safetensors', 334_643_276,
        'a2b5134f4dbc140d9c11f11cba3233099e00af40f262f136c691fb7d38d2194c', 'fp32'),
      file('vae/diffusion_pytorch_model.fp16.safetensors', 167_335_342,
        '4fbcf0ebe55a0984f5a5e00d8c4521d52359af7229bb4d81890039d2aa16dd7c', 'fp16'),
    ],
  },
  {
    name: 'clip-text',
    purpose: 'the CLIP ViT-L/14 text encoder of Stable Diffusion 1.5 and its tokenizer',
    ...stableDiffusion,
    files: [
      file('text_encoder/config.json', 617, '4d3e873ab5086ad989f407abd50fdce66db8d657'),
      file('text_encoder/model.safetensors', 492_265_874,
        'd008943c017f0092921106440254dbbe00b6a285f7883ec8ba160c3faad88334', 'fp32'),
      file('text_encoder/model.fp16.safetensors', 246_144_864,
        '77795e2023adcf39bc29a884661950380bd093cf0750a966d473d1718dc9ef4e', 'fp16'),
      file('tokenizer/vocab.json', 1_059_962, '469be27c5c010538f845f518c4f5e8574c78f7c8'),
      file('tokenizer/merges.txt', 524_619, '76e821f1b6f0a9709293c3b6b51ed90980b3166b'),
      file('tokenizer/special_tokens_map.json', 472, '2c2130b544c0c5a72d5d00da071ba130a9800fb2'),
      file('tokenizer/tokenizer_config.json', 806, '5ba7bf706515bc60487ad0e1816b4929b82542d6'),
    ],
  },
  {
    name: 'medsam',
    purpose: 'the MedSAM ViT-B image encoder that reads the image prior (transformers layout)',
    repository: 'wanglab/medsam-vit-base',
    revision: 'de8488bca37bb1d4fb190f612c516126d739ce3b',
    licence: 'Apache-2.0',
    files: [
      file('config.json', null, null),
      file('preprocessor_config.json', null, null),
      file('pytorch_model.bin', 375_045_749,
        '0ef67838fba16f16c0e308eaf7a3ae6fbf4fe8e13d7a120ca932671ed9c47db0'),
    ],
  },
  {
    name: 'i3d',
    purpose: 'the I3D network of Kinetics-400 (TorchScript) whose logits FVD compares',
    repository: 'flateon/FVD-I3D-torchscript',
    revision: '1c2d61711c52571ad617a1063e6fa691b212e184',
    licence: 'none stated in the repository: ask its owner before you pass it on',
    files: [
      file('i3d_torchscript.pt', 51_235_320,
        'bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2'),
    ],
  },
];

function file(path: string, size: number | null, hash: string | null, variant?: Variant): WeightFile {
  return { path, size, hash, variant };
}

/** The files of one variant, and those that every variant needs. */
export function filesOf(weight: Weight, variant: Variant): readonly WeightFile[] {
  return weight.files.filter((each) => each.variant === undefined || each.variant === variant);
}
