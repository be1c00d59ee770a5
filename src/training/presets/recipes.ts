/** What the presets that start from newborn networks have in common. */

/** Choices of the model that a short training profits from. */
export const shortTraining = {
  // The largest structures are learned sooner with v than with epsilon, whose error at high noise is multiplied
  // fourteenfold on its way to z_0.
  scheduler: { prediction_type: 'v_prediction', timestep_spacing: 'quadratic' },
  // Speckle that every frame draws apart flickers, and is not unlearned.
  noisePrior: { shared: 0.65, progressive: 0.5, alongFlow: { shared: 0.9, progressive: 0.5 } },
} as const;

/** Of the networks that measure: segmenter and echo video. */
export const measuring = { trainBatchSize: 8, learningRate: 2e-3, lrWarmupSteps: 50, emaDecay: 0.99 };
