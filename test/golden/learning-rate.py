"""Prints learning-rate.json: rates of diffusers' get_scheduler, one a step (diffusers, torch)."""
import json

import torch
from diffusers.optimization import get_scheduler

CASES = [
    {"lrScheduler": "cosine", "learningRate": 1e-4, "lrWarmupSteps": 5, "maxTrainSteps": 20},
    {"lrScheduler": "cosine", "learningRate": 2e-3, "lrWarmupSteps": 0, "maxTrainSteps": 7},
    {"lrScheduler": "constant", "learningRate": 3e-4, "lrWarmupSteps": 4, "maxTrainSteps": 9},
]


def rates(case):
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=case["learningRate"])
    name = "constant_with_warmup" if case["lrScheduler"] == "constant" else case["lrScheduler"]
    scheduler = get_scheduler(
        name, optimizer, num_warmup_steps=case["lrWarmupSteps"],
        num_training_steps=case["maxTrainSteps"])
    found = []
    for _ in range(case["maxTrainSteps"] + 1):
        found.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return found


print(json.dumps([{**case, "rates": rates(case)} for case in CASES], indent=1))
