/** Bilinear value at (x, y) in pixels; outside the plane the nearest border pixel. */
export function samplePlane(
  values: Float32Array,
  height: number,
  width: number,
  x: number,
  y: number,
): number {
  const atX = Math.min(Math.max(x, 0), width - 1);
  const atY = Math.min(Math.max(y, 0), height - 1);
  const left = Math.min(Math.floor(atX), Math.max(width - 2, 0));
  const top = Math.min(Math.floor(atY), Math.max(height - 2, 0));
  const right = Math.min(left + 1, width - 1);
  const bottom = Math.min(top + 1, height - 1);
  const shareX = atX - left;
  const shareY = atY - top;
  const above = values[top * width + left] * (1 - shareX) + values[top * width + right] * shareX;
  const below =
    values[bottom * width + left] * (1 - shareX) + values[bottom * width + right] * shareX;
  return above * (1 - shareY) + below * shareY;
}
