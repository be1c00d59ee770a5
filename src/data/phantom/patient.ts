/** What a phantom patient is: the shape, motion, place and imaging of the heart in each view. */

export type View = '2CH' | '4CH';
export const views: readonly View[] = ['2CH', '4CH'];

export type Phenotype = 'normal' | 'dilated' | 'hypertrophied';
export type ImageQuality = 'Good' | 'Medium' | 'Poor';
/** 0 is the left of the picture (septum in 4CH), 1 the right (lateral wall in 4CH). */
export type Side = 0 | 1;

/** Reference (end-diastolic) anatomy of one view; lengths in mm, in coordinates of the LV axis. */
export interface Anatomy {
  readonly length: number;                          // endocardial apex to annulus
  readonly halfWidth: readonly [number, number];    // LV cavity at its widest, by side
  readonly equator: number;                         // where it is widest, as a fraction of length
  readonly bluntness: number;                       // exponent of the apical superellipse
  readonly annulusRatio: number;                    // annulus over widest
  readonly wall: readonly [number, number];         // myocardial thickness, by side
  readonly apexWall: number;
  readonly atriumLength: number;
  readonly atriumHalfWidth: number;
  readonly tent: number;                            // height of the closed valve over the annulus
  readonly coaptation: number;                      // where leaflets meet, 0 left hinge .. 1 right
  readonly rightWidth: number;                      // RV at its widest; 0 where no right heart
  readonly rightAtriumLength: number;
  readonly papillary: readonly { z: number; side: Side; size: number }[];
}

/** How the reference anatomy moves; strengths are at end systole. */
export interface Motion {
  readonly descent: number;                         // of the annulus, mm
  readonly radial: number;                          // fractional narrowing of the LV cavity
  readonly atrial: number;                          // fractional widening of the LA
  readonly right: number;                           // fractional narrowing of the RV
  readonly rock: number;                            // rotation about the apex, radians
  readonly swirl: number;                           // turns of the blood in the LV over a cycle
  readonly scar: { readonly side: Side; readonly centre: number; readonly width: number;
    readonly severity: number };                    // a wall segment that contracts less
}

/** Where the heart lies in the sector, and the sector in the picture; mm and radians. */
export interface Placement {
  readonly apexX: number;                           // endocardial apex, right of the beam axis
  readonly apexY: number;                           // and below the probe
  readonly tilt: number;                            // the heart is turned, its base to the right
  readonly lean: number;                            // and sheared: mm to the right a mm of depth
  readonly bend: number;                            // how far the axis curves back left at the base
  readonly depth: number;
  readonly halfAngle: number;
  readonly pixel: number;                           // mm a pixel, square
}

export interface Imaging {
  readonly gain: number;                            // dB
  readonly dynamicRange: number;                    // dB from black to white
  readonly gamma: number;                           // of the grey map
  readonly noise: number;                           // dB, thermal, at mid depth
  readonly clutter: number;                         // dB, near field
  readonly haze: number;                            // dB, side lobes under bright tissue
  readonly blood: number;                           // dB
  readonly myocardium: number;                      // dB
  readonly surroundings: number;                    // dB
  readonly posterior: number;                       // dB, layers behind the heart over the rest
  readonly specular: number;                        // dB a facing interface adds
  readonly valve: number;                           // dB, closed leaflets facing the beam
  readonly anisotropy: number;                      // dB a wall along the beam loses
  readonly lumpiness: number;                       // dB, standard deviation of tissue texture
  readonly pulse: number;                           // axial FWHM of the amplitude response, mm
  readonly beam: number;                            // lateral FWHM, radians
  readonly wavelength: number;                      // mm
  readonly depthGain: readonly number[];            // dB at equal steps of depth
  readonly shadows: readonly { angle: number; width: number; loss: number }[]; // radians, dB
  readonly persistence: number;                     // weight of the frame before
}

export interface ViewParameters {
  readonly anatomy: Anatomy;
  readonly motion: Motion;
  readonly placement: Placement;
  readonly imaging: Imaging;
}

export interface PhantomParameters {
  readonly id: string;                              // patientNNNN
  readonly seed: number;
  readonly index: number;                           // 1-based
  readonly sex: 'F' | 'M';
  readonly age: number;
  readonly phenotype: Phenotype;
  readonly imageQuality: ImageQuality;
  readonly heartRate: number;                       // beats a minute
  readonly frames: number;                          // in one cycle
  readonly frameRate: number;                       // Hz
  readonly endSystole: number;                      // 0-based frame; end diastole is frame 0
  readonly earlyFilling: number;                    // the E wave's part of filling
  readonly ejectionFraction: number;                // percent, biplane discs of this geometry
  readonly endDiastolicVolume: number;              // ml
  readonly views: Readonly<Record<View, ViewParameters>>;
}
