/** The material points that echo: drawn once in the reference, carried by the motion for ever. */
import { randomStream } from '../../frames/random.ts';
import { backward, bend, forward, lerp, swirl, type Heart, type Pose } from './motion.ts';
import { splat, type BeamPlanes, type Probe } from './probe.ts';
import { knots, heights, lowest, step } from './sections.ts';
import { blood, TissueMap, type Echo } from './tissue.ts';
import { SmoothNoise } from './texture.ts';
import { leafletPoints, type LeafletCurve } from './valve.ts';

const density = 0.95;                 // scatterers per cell of the beam grid
const lifetime = 9;                   // frames a blood cell stays in the plane

/** Scatterers of solid tissue with their place in the section tables, and of blood. */
export interface Scatterers {
  readonly solids: number;
  readonly cell: Int32Array;          // reference height index
  readonly part: Float32Array;        // and the rest
  readonly knot: Int8Array;           // inner knot, with side: 5 * side + knot
  readonly along: Float32Array;       // between knots 0..1
  readonly amplitude: Float32Array;
  readonly bloodY: Float32Array;
  readonly bloodZ: Float32Array;
  readonly bloodAmplitude: Float32Array;
  readonly bloodPhase: Float32Array;  // of the life cycle
  readonly leaflet: Float32Array;     // (along 0..1, across mm, amplitude) triples, every leaflet
}

export function createScatterers(heart: Heart, rest: Pose, probe: Probe,
  key: readonly (string | number)[]): Scatterers {
  const stream = randomStream(...key, 'scatterers');
  const { depth, halfAngle } = probe.placement;
  const tissue = new TissueMap(heart, rest, probe.imaging, key);
  const spread = halfAngle + 0.1;
  const reach = depth + 18;
  const cells = ((2 * spread) / 0.0117) * (reach / 0.5);
  const count = Math.round(density * cells);
  const cell = new Int32Array(count);
  const part = new Float32Array(count);
  const knot = new Int8Array(count);
  const along = new Float32Array(count);
  const amplitude = new Float32Array(count);
  const bloodY = new Float32Array(count);
  const bloodZ = new Float32Array(count);
  const bloodAmplitude = new Float32Array(count);
  const bloodPhase = new Float32Array(count);
  const material = { y: 0, z: 0 };
  const echo: Echo = { level: 0, kind: 0 };
  let solids = 0;
  let bloods = 0;
  const unit = 1 / Math.sqrt(density);
  for (let n = 0; n < count; n++) {
    // From left to right, so that neighbours in memory land in neighbouring beams.
    const angle = ((2 * (n + stream.uniform())) / count - 1) * spread;
    const range = stream.uniform() * reach;
    const strength = stream.normal() * unit;
    backward(heart, rest, range * Math.sin(angle), range * Math.cos(angle), material);
    // Borders are ragged on the scale of the beam: the level is that of a point close by.
    const ragged = material.z > heart.anatomy.length ? 2.2 : 1.1;
    tissue.at(material.y + ragged * stream.normal(), material.z + ragged * stream.normal(), echo);
    const size = strength * 10 ** (echo.level / 20);
    if (echo.kind === blood) {
      bloodY[bloods] = material.y;
      bloodZ[bloods] = material.z;
      bloodAmplitude[bloods] = size;
      bloodPhase[bloods++] = Math.floor(stream.uniform() * lifetime);
      continue;
    }
    const g = Math.min(heights - 1.001, Math.max(0, (material.z - lowest) / step));
    const i = Math.floor(g);
    const f = g - i;
    const side = material.y < 0 ? 0 : 1;
    const distance = Math.abs(material.y);
    const table = heart.reference[side];
    let k = 0;
    while (k < knots - 2 && distance > lerp(table[k + 1], i, f)) k++;
    const inner = k === 0 ? 0 : lerp(table[k], i, f);
    cell[solids] = i;
    part[solids] = f;
    knot[solids] = knots * side + k;
    along[solids] = (distance - inner) / Math.max(1e-6, lerp(table[k + 1], i, f) - inner);
    amplitude[solids++] = size;
  }
  return {
    solids, cell: cell.slice(0, solids), part: part.slice(0, solids), knot: knot.slice(0, solids),
    along: along.slice(0, solids), amplitude: amplitude.slice(0, solids),
    bloodY: bloodY.slice(0, bloods), bloodZ: bloodZ.slice(0, bloods),
    bloodAmplitude: bloodAmplitude.slice(0, bloods), bloodPhase: bloodPhase.slice(0, bloods),
    leaflet: leafletScatterers(key, probe.imaging.valve),
  };
}

const perLeaflet = 260;

function leafletScatterers(key: readonly (string | number)[], level: number): Float32Array {
  const stream = randomStream(...key, 'leaflets');
  const texture = new SmoothNoise(randomStream(...key, 'leaflet texture'));
  const out = new Float32Array(4 * perLeaflet * 3);
  for (let n = 0; n < out.length; n += 3) {
    const leaflet = Math.floor(n / (3 * perLeaflet));
    out[n] = stream.uniform();
    out[n + 1] = 0.5 * stream.normal();
    // Thick at the tip, with stretches that show little.
    const along = 4 * texture.at(5 * out[n] + 0.5, 3 * leaflet + 0.5) + 2 * out[n] * out[n];
    out[n + 2] = stream.normal() * 10 ** ((level + along) / 20);
  }
  return out;
}

/** Table of the carrier's phase over a turn: cosine, then sine, 1024 steps. */
const turns = Float32Array.from({ length: 1280 }, (_, k) => Math.cos((2 * Math.PI * k) / 1024));

/** Splats everything at pose `now`. `frame` counts frames of the cycle of `frames`. */
export function splatAll(heart: Heart, scatterers: Scatterers, probe: Probe, planes: BeamPlanes,
  now: Pose, poses: readonly Pose[], frame: number, leaflets: readonly LeafletCurve[]): void {
  const { solids, cell, part, knot, along, amplitude } = scatterers;
  const { cosine, sine, height } = now;
  const flat: Float64Array[] = [...now.sections[0], ...now.sections[1]];
  const { apexX, apexY } = heart.placement;
  const wave = (2 * 1024) / probe.imaging.wavelength;
  const echo = (x: number, y: number, size: number): void => {
    const phase = Math.floor(Math.sqrt(x * x + y * y) * wave) & 1023;
    splat(probe, planes, x, y, size * turns[phase], size * turns[phase + 256]);
  };
  for (let n = 0; n < solids; n++) {
    const i = cell[n];
    const f = part[n];
    const k = knot[n];
    const z = height[i] + f * (height[i + 1] - height[i]);
    const first = flat[k];
    const second = flat[k + 1];
    const inner = first[i] + f * (first[i + 1] - first[i]);
    const outer = second[i] + f * (second[i + 1] - second[i]);
    const distance = inner + along[n] * (outer - inner);
    const bent = (k < knots ? -distance : distance) + bend(heart, z);
    echo(apexX + bent * cosine + z * sine, apexY - bent * sine + z * cosine, amplitude[n]);
  }
  splatBlood(heart, scatterers, now, poses, frame, echo);
  splatLeaflets(scatterers, leaflets, echo);
}

function splatBlood(heart: Heart, scatterers: Scatterers, now: Pose, poses: readonly Pose[],
  frame: number, echo: (x: number, y: number, size: number) => void): void {
  const { bloodY, bloodZ, bloodAmplitude, bloodPhase } = scatterers;
  const frames = poses.length - 1;
  // Angle turned since the birth of each age, across the end of the cycle.
  const turned = Array.from({ length: lifetime }, (_, age) => {
    const born = frame - age;
    const whole = poses[frames].turned;
    return now.turned - (born >= 0 ? poses[born].turned : poses[born + frames].turned - whole);
  });
  const material = { y: 0, z: 0 };
  const there = { x: 0, y: 0 };
  for (let n = 0; n < bloodY.length; n++) {
    const age = (frame + bloodPhase[n]) % lifetime;
    material.y = bloodY[n];
    material.z = bloodZ[n];
    if (material.z < heart.anatomy.length) swirl(heart, material, turned[age]);
    forward(heart, now, material.y, material.z, there);
    // A cell enters and leaves the plane gently; each visit has another sign.
    const visit = Math.floor((frame + bloodPhase[n]) / lifetime);
    const size = bloodAmplitude[n] * 1.3 * Math.sin((Math.PI * (age + 0.5)) / lifetime);
    echo(there.x, there.y, ((visit * 7 + n) & 1) === 0 ? size : -size);
  }
}

function splatLeaflets(scatterers: Scatterers, leaflets: readonly LeafletCurve[],
  echo: (x: number, y: number, size: number) => void): void {
  leaflets.forEach((curve, which) => {
    for (let n = 0; n < perLeaflet; n++) {
      const o = 3 * (which * perLeaflet + n);
      const g = scatterers.leaflet[o] * (leafletPoints - 1);
      const k = Math.min(leafletPoints - 2, Math.floor(g));
      const f = g - k;
      const ax = curve[2 * k + 2] - curve[2 * k];
      const ay = curve[2 * k + 3] - curve[2 * k + 1];
      const size = Math.hypot(ax, ay) + 1e-9;
      const x = curve[2 * k] + f * ax;
      const y = curve[2 * k + 1] + f * ay;
      // A sheet seen edge on by the beam sends little back.
      const facing = Math.abs(ax * y - ay * x) / (size * Math.hypot(x, y));
      const across = scatterers.leaflet[o + 1];
      echo(x - (across * ay) / size, y + (across * ax) / size,
        scatterers.leaflet[o + 2] * (0.4 + 1.4 * facing * facing));
    }
  });
}
