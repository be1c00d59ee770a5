/** HeartBeat as a library: what a program needs to make, read, write and measure echo videos. */
export { conditions, type ConditionInputs, type ConditionName } from './conditions/condition.ts';
export { extractConditions } from './conditions/extraction.ts';
export { readClip, listClips, type Clip } from './data/clips.ts';
export { exportVideo } from './data/export.ts';
export { listMnmsVolumes, readMnmsClip, selectVolumes, type MnmsClip } from './data/mnms.ts';
export { writeMriPhantom } from './data/mri-phantom/mri-phantom.ts';
export { writePhantom } from './data/phantom/phantom.ts';
export { openExtractors, type ExtractorsConfig } from './extractors/extractors.ts';
export type { Frames, Labels, Polyline } from './frames/frames.ts';
export { writeGif } from './frames/gif.ts';
export { writeMp4 } from './frames/mp4.ts';
export { readPng, writePng } from './frames/png.ts';
export { exportPipeline, importPipeline } from './heartbeat/export.ts';
export { HeartBeat, heartbeatConfig, type HeartBeatConfig } from './heartbeat/heartbeat.ts';
export { loadModelFolder, saveModelFolder } from './heartbeat/model-folder.ts';
export {
  loadUpstream, startFromUpstream, upstreamConfig, upstreamTokenizer, type UpstreamSources,
} from './heartbeat/upstream.ts';
export { synthesize, type SynthesisOptions } from './heartbeat/synthesis.ts';
export { readInputs } from './inputs/inputs.ts';
