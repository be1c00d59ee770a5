/** What the fields of the upstream networks' configuration files mean here. */
import { z } from 'zod';
import { schedulerConfig, type SchedulerConfig } from '../../diffusion/schedule.ts';
import { clipTextConfig, type ClipTextConfig } from '../../models/clip-text.ts';
import { imageEncoderConfig, type ImageEncoderConfig } from '../../models/medsam.ts';
import { UNetConfig } from '../../models/unet.ts';
import { vaeConfig, type VaeConfig } from '../../models/vae.ts';
import { expectClass, neutral, only, read, readJsonFile, translate, type Fields } from './config-files.ts';

/** diffusers' part of our U-Net's configuration; what HeartBeat adds is not in it. */
const spatialUNet = UNetConfig.omit({
  localChannels: true, imageQuery: true, temporal: true, temporalWithoutSpatial: true, temporalConvolution: true,
});
export type SpatialUNetConfig = z.output<typeof spatialUNet>;

const unetFields: Fields = {
  sample_size: read(undefined), in_channels: read(4), out_channels: read(4),
  block_out_channels: read([320, 640, 1280, 1280]), layers_per_block: read(2),
  down_block_types: read([...Array<string>(3).fill('CrossAttnDownBlock2D'), 'DownBlock2D']),
  up_block_types: read(['UpBlock2D', ...Array<string>(3).fill('CrossAttnUpBlock2D')]),
  attention_head_dim: read(8), cross_attention_dim: read(1280), norm_num_groups: read(32),
  norm_eps: read(1e-5), use_linear_projection: read(false), downsample_padding: read(1),
  center_input_sample: only(false), flip_sin_to_cos: only(true), freq_shift: only(0),
  mid_block_type: only('UNetMidBlock2DCrossAttn'), only_cross_attention: only(false),
  mid_block_only_cross_attention: only(null, false), mid_block_scale_factor: only(1),
  act_fn: only('silu', 'swish'), dropout: only(0), transformer_layers_per_block: only(1),
  reverse_transformer_layers_per_block: only(null), encoder_hid_dim: only(null),
  encoder_hid_dim_type: only(null), num_attention_heads: only(null), dual_cross_attention: only(false),
  class_embed_type: only(null), addition_embed_type: only(null), num_class_embeds: only(null),
  resnet_time_scale_shift: only('default'), resnet_skip_time_act: only(false),
  resnet_out_scale_factor: only(1), time_embedding_type: only('positional'),
  time_embedding_dim: only(null), time_embedding_act_fn: only(null), timestep_post_act: only(null),
  time_cond_proj_dim: only(null), conv_in_kernel: only(3), conv_out_kernel: only(3),
  projection_class_embeddings_input_dim: only(null), attention_type: only('default'),
  class_embeddings_concat: only(false), cross_attention_norm: only(null),
  // The first is a matter of precision, the others of embeddings that are refused above.
  ...neutral('upcast_attention', 'addition_time_embed_dim', 'addition_embed_type_num_heads'),
};

const vaeFields: Fields = {
  in_channels: read(3), out_channels: read(3), block_out_channels: read([64]), layers_per_block: read(1),
  latent_channels: read(4), norm_num_groups: read(32), sample_size: read(32), scaling_factor: read(0.18215),
  latents_mean: read(null), latents_std: read(null), mid_block_add_attention: read(true),
  down_block_types: only('DownEncoderBlock2D'), up_block_types: only('UpDecoderBlock2D'),
  act_fn: only('silu', 'swish'), shift_factor: only(null, 0), use_quant_conv: only(true),
  use_post_quant_conv: only(true), ...neutral('force_upcast'),
};

const schedulerFields: Fields = {
  num_train_timesteps: read(1000), beta_start: read(1e-4), beta_end: read(0.02), beta_schedule: read('linear'),
  prediction_type: read('epsilon'), steps_offset: read(0), set_alpha_to_one: read(false),
  trained_betas: only(null), clip_sample: only(false), thresholding: only(false),
  rescale_betas_zero_snr: only(false), timestep_spacing: read('leading'),
  ...neutral('skip_prk_steps', 'clip_sample_range', 'dynamic_thresholding_ratio', 'sample_max_value', 'variance_type'),
};

// What transformers writes into every configuration: of generation, of training, of how results are packed.
const transformersNotes = neutral(
  ...`architectures bos_token_id eos_token_id pad_token_id sep_token_id decoder_start_token_id model_type
  transformers_version torch_dtype dtype initializer_factor initializer_range attention_dropout dropout
  projection_dim gradient_checkpointing output_attentions output_hidden_states output_scores return_dict
  return_dict_in_generate use_bfloat16 use_cache id2label label2id problem_type finetuning_task
  task_specific_params tokenizer_class prefix torchscript tf_legacy_loss tie_word_embeddings
  tie_encoder_decoder bad_words_ids suppress_tokens begin_suppress_tokens forced_bos_token_id
  forced_eos_token_id diversity_penalty do_sample early_stopping encoder_no_repeat_ngram_size
  exponential_decay_length_penalty length_penalty max_length min_length no_repeat_ngram_size
  num_beam_groups num_beams num_return_sequences remove_invalid_values repetition_penalty temperature
  top_k top_p typical_p pruned_heads`.split(/\s+/));
const transformersCommon: Fields = {
  ...transformersNotes, is_decoder: only(false), is_encoder_decoder: only(false), add_cross_attention: only(false),
  cross_attention_hidden_size: only(null), chunk_size_feed_forward: only(0),
};

const clipTextFields: Fields = {
  ...transformersCommon,
  vocab_size: read(49408), hidden_size: read(512), intermediate_size: read(2048), num_hidden_layers: read(12),
  num_attention_heads: read(8), max_position_embeddings: read(77), hidden_act: read('quick_gelu'),
  layer_norm_eps: read(1e-5),
};

const samFields: Fields = {
  ...transformersCommon,
  image_size: read(1024, 'img_size'), patch_size: read(16), num_channels: read(3, 'in_chans'),
  hidden_size: read(768, 'embed_dim'), num_hidden_layers: read(12, 'depth'),
  num_attention_heads: read(12, 'num_heads'), mlp_ratio: read(4), output_channels: read(256, 'out_chans'),
  qkv_bias: read(true), use_rel_pos: read(true), window_size: read(14),
  global_attn_indexes: read([2, 5, 8, 11]), hidden_act: only('gelu'), layer_norm_eps: only(1e-6),
  use_abs_pos: only(true), ...neutral('num_pos_feats', 'mlp_dim', 'scale'),
};

/** unet/config.json of diffusers. */
export function readUNetConfig(file: string): SpatialUNetConfig {
  const given = readJsonFile(file);
  expectClass(file, given, '_class_name', ['UNet2DConditionModel']);
  const size = Array.isArray(given.sample_size) ? given.sample_size[0] : given.sample_size ?? undefined;
  return translate(file, 'UNet2DConditionModel', { ...given, sample_size: size }, unetFields, spatialUNet);
}

/** vae/config.json of diffusers. */
export function readVaeConfig(file: string): VaeConfig {
  const given = readJsonFile(file);
  expectClass(file, given, '_class_name', ['AutoencoderKL']);
  return translate(file, 'AutoencoderKL', given, vaeFields, vaeConfig);
}

/** scheduler/scheduler_config.json of diffusers: the betas and what is predicted; the sampler is ours. */
export function readSchedulerConfig(file: string): SchedulerConfig {
  const given = readJsonFile(file);
  const ends = given._class_name === 'DDIMScheduler' ? { set_alpha_to_one: true, clip_sample: true } : {};
  return translate(file, 'noise schedule', { ...ends, ...given }, schedulerFields, schedulerConfig);
}

/** config.json of transformers' CLIPTextModel, or of a whole CLIPModel, whose text part is read. */
export function readClipTextConfig(file: string): ClipTextConfig {
  const given = readJsonFile(file);
  expectClass(file, given, 'model_type', ['clip_text_model', 'clip']);
  const text = given.model_type === 'clip' ? part(file, given, 'text_config') : given;
  return translate(file, 'CLIPTextModel', text, clipTextFields, clipTextConfig);
}

/** config.json of transformers' SamModel, or of its vision encoder alone. */
export function readSamConfig(file: string): ImageEncoderConfig {
  const given = readJsonFile(file);
  expectClass(file, given, 'model_type', ['sam', 'sam_vision_model']);
  const vision = { ...(given.model_type === 'sam' ? part(file, given, 'vision_config') : given) };
  const { mlp_dim: inner, hidden_size: width = 768 } = vision;
  if (typeof inner === 'number' && typeof width === 'number') vision.mlp_ratio = inner / width;
  return translate(file, 'SamVisionEncoder', vision, samFields, imageEncoderConfig);
}

function part(file: string, given: Readonly<Record<string, unknown>>, key: string): Record<string, unknown> {
  const found = given[key];
  if (typeof found === 'object' && found !== null && !Array.isArray(found)) return found as Record<string, unknown>;
  throw new Error(`${file}: expected an object ${key}, got ${JSON.stringify(found) ?? 'nothing'}`);
}
