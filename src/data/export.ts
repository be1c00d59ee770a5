/** A generated video with all that belongs to it, written into one folder or not at all. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomic, writeFolderAtomic } from '../frames/atomic.ts';
import { checkFrames, checkLabels } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import { writeGif } from '../frames/gif.ts';
import { writeMp4 } from '../frames/mp4.ts';
import { writePng, writePngSequence } from '../frames/png.ts';
import { recipeExtension } from '../frames/recipe.ts';
import type { Recipe } from '../frames/recipe.ts';
import { resizeFrames } from '../frames/resize.ts';
import { renderSheet } from '../frames/sheet.ts';
import type { Sheet } from '../frames/sheet.ts';
import { CAMUS_LABELS } from './camus.ts';
import { VECTOR_INTENT, writeNifti } from './nifti.ts';
import type { NiftiContent } from './nifti.ts';

export interface ExportedVideo {
  /** 1 f h w in [0,1]. */
  readonly video: Frames;
  /** Frames a second of heart time: the playing speed and the NIfTI frame time. */
  readonly frameRate: number;
  /** mm per pixel (x, y); 1 where it is unknown. */
  readonly spacing?: readonly [number, number];
  /** Travels inside every file, and beside them as recipe.json. */
  readonly recipe: Recipe;
  /** The contact sheet, video and conditions as rows. */
  readonly sheet: Sheet;
  /** Masks of the video, asked for or found; one frame or all. */
  readonly masks?: Labels | null;
  /** Flow over the image side, as `Clip.flow`. */
  readonly flow?: Frames | null;
}

/** MP4 and GIF are for looking at: small videos are enlarged by a whole factor to this side. */
const VIEWING_SIDE = 256;
/** A cycle is repeated in the MP4 until it lasts this long. */
const VIEWING_SECONDS = 4;

/**
 * Writes `video.mp4`, `video.gif`, `frames/frame-NN.png`, `video.nii.gz`, `sheet.png`,
 * `recipe.json`, and, where given, `masks.nii.gz` and `flow.nii.gz` (in pixels) into `folder`,
 * which must be new or empty. All or nothing: on any failure the folder does not appear.
 * Returns the paths.
 */
export async function exportVideo(folder: string, result: ExportedVideo): Promise<string[]> {
  const { video, frameRate, recipe } = result;
  checkFrames(video, 'video to write', { channels: 1, minimum: -1e-3, maximum: 1 + 1e-3 });
  if (!(frameRate > 0 && Number.isFinite(frameRate))) {
    throw new Error(`${folder}: expected a frame rate above 0 per second, got ${frameRate}`);
  }
  if (result.masks) checkLabels(result.masks, CAMUS_LABELS, 'masks to write');
  const names = ['video.mp4', 'video.gif', 'video.nii.gz', 'sheet.png', 'recipe.json'];
  await writeFolderAtomic(folder, async (target) => {
    const size = { height: video.height, width: video.width };
    const factor = Math.max(1, Math.ceil(VIEWING_SIDE / Math.max(size.height, size.width)));
    const large = resizeFrames(video, size.height * factor, size.width * factor);
    const loops = Math.max(1, Math.ceil((VIEWING_SECONDS * frameRate) / video.frames));
    await writeMp4(join(target, 'video.mp4'), clamp(large), frameRate, { loops, recipe });
    writeGif(join(target, 'video.gif'), clamp(large), Math.min(50, frameRate), recipe);
    mkdirSync(join(target, 'frames'));
    const frames = writePngSequence(join(target, 'frames'), video, recipe);
    names.push(
      ...frames.map((path) => join('frames', path.slice(join(target, 'frames').length + 1))),
    );
    writeNifti(join(target, 'video.nii.gz'), content(result, video, greyBytes(video)));
    if (result.masks) {
      const { masks } = result;
      writeNifti(join(target, 'masks.nii.gz'), content(result, masks, masks.data));
      names.push('masks.nii.gz');
    }
    if (result.flow) {
      const flow = content(
        result,
        result.flow,
        result.flow.data.map((v) => v * video.width),
      );
      const description = 'flow in pixels to the next frame';
      writeNifti(join(target, 'flow.nii.gz'), { ...flow, intent: VECTOR_INTENT, description });
      names.push('flow.nii.gz');
    }
    writePng(join(target, 'sheet.png'), renderSheet(result.sheet), 0, recipe);
    const text = `${JSON.stringify(recipe, null, 2)}\n`;
    writeAtomic(join(target, 'recipe.json'), new TextEncoder().encode(text));
  });
  return names.map((name) => join(folder, name));
}

function content(
  result: ExportedVideo,
  picture: Frames<Float32Array | Uint8Array>,
  data: NiftiContent['data'],
): NiftiContent {
  const { width, height, frames, channels } = picture;
  return {
    shape: channels > 1 ? [width, height, 1, frames, channels] : [width, height, 1, frames],
    data,
    spacing: result.spacing ?? [1, 1],
    frameTime: 1 / result.frameRate,
    description: 'HeartBeat synthetic echocardiogram',
    extensions: [recipeExtension(result.recipe)],
  };
}

function greyBytes(video: Frames): Uint8Array {
  return Uint8Array.from(video.data, (value) =>
    Math.min(255, Math.max(0, Math.round(value * 255))),
  );
}

// Bilinear enlargement keeps within the frame's range, which may overshoot by rounding.
function clamp(video: Frames): Frames {
  return { ...video, data: video.data.map((value) => Math.min(1, Math.max(0, value))) };
}
