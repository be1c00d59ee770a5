/** What is drawn over pictures: labels in colour, planes as light, curves as strokes. */
import { byteFrames, floatFrames, plane } from './frames.ts';
import type { Frames, Labels, Polyline } from './frames.ts';
import type { Colour } from './text.ts';
import { toBytes } from './colour.ts';
import type { Picture } from './colour.ts';

/** Colours of the labels: 1 LV cavity red, 2 myocardium green, 3 left atrium blue. */
export const LABEL_COLOURS: readonly Colour[] = [
  [0, 0, 0],
  [230, 75, 60],
  [70, 190, 120],
  [70, 130, 230],
];

/** RGB bytes of a grey or RGB picture. */
export function toRgb(picture: Picture, what = 'picture'): Frames<Uint8Array> {
  const bytes = toBytes(picture, what);
  if (bytes.channels === 3) return bytes;
  const rgb = byteFrames({ ...bytes, channels: 3 });
  for (let c = 0; c < 3; c++) rgb.data.set(bytes.data, c * bytes.data.length);
  return rgb;
}

/**
 * Labels laid over a video: regions tinted by `opacity`, borders drawn full. Labels of one frame
 * are repeated over the video.
 */
export function overlayLabels(video: Picture, labels: Labels, opacity = 0.3): Frames<Uint8Array> {
  const rgb = toRgb(video, 'overlay');
  const result = { ...rgb, data: rgb.data.slice() };
  const { height, width } = video;
  for (let t = 0; t < video.frames; t++) {
    const map = plane(labels, 0, Math.min(t, labels.frames - 1));
    for (let i = 0; i < map.length; i++) {
      const label = map[i];
      if (label === 0) continue;
      const cover = isBorder(map, i, height, width) ? Math.max(opacity, 0.9) : opacity;
      const colour = LABEL_COLOURS[label % LABEL_COLOURS.length];
      for (let c = 0; c < 3; c++) {
        const at = (c * video.frames + t) * map.length + i;
        result.data[at] = Math.round(result.data[at] * (1 - cover) + colour[c] * cover);
      }
    }
  }
  return result;
}

function isBorder(map: Uint8Array, index: number, height: number, width: number): boolean {
  const x = index % width;
  const y = (index - x) / width;
  const label = map[index];
  return (
    (x > 0 && map[index - 1] !== label) ||
    (x < width - 1 && map[index + 1] !== label) ||
    (y > 0 && map[index - width] !== label) ||
    (y < height - 1 && map[index + width] !== label)
  );
}

/** A picture in [0,1] (sketch, skeleton plane) as light of one colour on black or over `under`. */
export function paintPlane(
  picture: Frames,
  colour: Colour = [255, 255, 255],
  under?: Picture,
): Frames<Uint8Array> {
  const base = under ?? floatFrames({ ...picture, channels: 1 });
  const rgb = toRgb(base, 'plane');
  const result = { ...rgb, data: rgb.data.slice() };
  const size = picture.height * picture.width;
  for (let t = 0; t < result.frames; t++) {
    const cover = plane(picture, 0, Math.min(t, picture.frames - 1));
    for (let c = 0; c < 3; c++) {
      const to = plane(result, c, t);
      for (let i = 0; i < size; i++) {
        const share = Math.min(1, Math.max(0, cover[i]));
        to[i] = Math.round(to[i] * (1 - share) + colour[c] * share);
      }
    }
  }
  return result;
}

/**
 * Strokes of `thickness` pixels as a plane in [0,1], one frame for each list of curves, edges
 * smoothed over a pixel.
 */
export function strokePolylines(
  frames: readonly (readonly Polyline[])[],
  height: number,
  width: number,
  thickness = 2,
): Frames {
  const shape = { channels: 1, frames: frames.length, height, width };
  const result = floatFrames(shape, undefined, 'strokes');
  frames.forEach((curves, t) => {
    const to = plane(result, 0, t);
    for (const curve of curves) {
      for (let k = 0; k + 1 < curve.length; k++) {
        strokeSegment(
          to,
          height,
          width,
          [curve[k].x, curve[k].y],
          [curve[k + 1].x, curve[k + 1].y],
          thickness / 2,
        );
      }
    }
  });
  return result;
}

function strokeSegment(
  to: Float32Array,
  height: number,
  width: number,
  a: readonly [number, number],
  b: readonly [number, number],
  radius: number,
): void {
  const reach = radius + 1;
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const length = dx * dx + dy * dy;
  const top = Math.max(0, Math.floor(Math.min(a[1], b[1]) - reach));
  const bottom = Math.min(height - 1, Math.ceil(Math.max(a[1], b[1]) + reach));
  const left = Math.max(0, Math.floor(Math.min(a[0], b[0]) - reach));
  const right = Math.min(width - 1, Math.ceil(Math.max(a[0], b[0]) + reach));
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const along = length === 0 ? 0 : ((x - a[0]) * dx + (y - a[1]) * dy) / length;
      const share = Math.min(1, Math.max(0, along));
      const distance = Math.hypot(x - a[0] - share * dx, y - a[1] - share * dy);
      const cover = Math.min(1, Math.max(0, radius + 0.5 - distance));
      to[y * width + x] = Math.max(to[y * width + x], cover);
    }
  }
}
