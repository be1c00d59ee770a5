"""Prints diffusion.json: diffusers' DDIM and DPM-Solver++(2M) walks with a made-up denoiser,
the noise schedule, the forward process and both prediction types.

    python diffusion.py > diffusion.json          # needs torch and diffusers
"""
import json
import math

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

BASE = dict(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012,
            beta_schedule="scaled_linear", steps_offset=1)


def start():
    return torch.tensor([math.sin(1.7 * i + 0.3) for i in range(12)], dtype=torch.float64)


def denoiser(z, t):
    """Any smooth function of z and t will do; the test writes the same one."""
    return torch.sin(1.3 * z + t / 300.0) * 0.8 + 0.1 * z


def walk(scheduler, steps):
    scheduler.set_timesteps(steps)
    z = start()
    trace = []
    for t in scheduler.timesteps:
        z = scheduler.step(denoiser(z, float(t)), t, z).prev_sample
        trace.append(z.tolist())
    return {"timesteps": [int(t) for t in scheduler.timesteps],
            "first": trace[0], "middle": trace[len(trace) // 2], "last": trace[-1]}


out = {"alphas": {}, "ddim": {}, "dpm-solver++": {}, "forward": {}}
for beta_schedule in ("scaled_linear", "linear"):
    scheduler = DDIMScheduler(**{**BASE, "beta_schedule": beta_schedule})
    out["alphas"][beta_schedule] = [float(scheduler.alphas_cumprod[t]) for t in (0, 1, 250, 500, 998, 999)]
cases = [(prediction, steps, "leading") for prediction in ("epsilon", "v_prediction") for steps in (1, 7, 20, 50)]
for prediction, steps, spacing in [*cases, ("epsilon", 8, "trailing"), ("v_prediction", 20, "trailing")]:
    ddim = DDIMScheduler(**BASE, prediction_type=prediction, clip_sample=False, set_alpha_to_one=False,
                         timestep_spacing=spacing)
    dpm = DPMSolverMultistepScheduler(**BASE, prediction_type=prediction, algorithm_type="dpmsolver++",
                                      solver_order=2, solver_type="midpoint", timestep_spacing=spacing,
                                      final_sigmas_type="zero", lower_order_final=True)
    for scheduler in (ddim, dpm):   # the library rounds its betas to float32; ours are float64
        betas = torch.linspace(BASE["beta_start"] ** 0.5, BASE["beta_end"] ** 0.5, 1000, dtype=torch.float64) ** 2
        scheduler.alphas_cumprod = torch.cumprod(1 - betas, 0)
    ddim.final_alpha_cumprod = ddim.alphas_cumprod[0]
    out["ddim"][f"{prediction}-{steps}-{spacing}"] = walk(ddim, steps)
    out["dpm-solver++"][f"{prediction}-{steps}-{spacing}"] = walk(dpm, steps)
scheduler = DDIMScheduler(**BASE)
z0 = start().float().reshape(3, 4)
noise = torch.cos(torch.arange(12) * 0.9).reshape(3, 4)
t = torch.tensor([1, 400, 999])
out["forward"] = {"t": t.tolist(), "noisy": scheduler.add_noise(z0, noise, t).flatten().tolist(),
                  "velocity": scheduler.get_velocity(z0, noise, t).flatten().tolist()}
print(json.dumps(out))
