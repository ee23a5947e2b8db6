"""Keras' AdamW step from its documentation, in plain double precision: what the recordings are checked against.

Formulated differently from Keras where the result allows it: the moments are corrected one by one, decay is a factor, every
gradient passes through the accumulator.
"""

import re

import numpy as np


def clip(gradients, config):
    """The clipped gradients, and what exceeded its limit: per parameter, per step or per element (empty without a limit)."""
    if limit := config["clipnorm"]:
        norms = [np.linalg.norm(g) for g in gradients]
        return [g * limit / np.maximum(n, limit) for g, n in zip(gradients, norms)], [n > limit for n in norms]
    if limit := config["global_clipnorm"]:
        norm = np.linalg.norm(np.concatenate(gradients))
        scale = min(1.0, limit / norm) if np.isfinite(norm) else np.nan
        return [g * scale for g in gradients], [norm > limit]
    if limit := config["clipvalue"]:
        over = [np.abs(g) > limit for g in gradients]
        return [np.where(o, np.copysign(limit, g), g) for g, o in zip(gradients, over)], [*np.concatenate(over)]
    return gradients, []


def replay(case, parameters, initial, gradients):
    config = case["config"].get("inner_optimizer", case)["config"]
    names = [parameter["name"] for parameter in parameters]
    excluded = case.get("exclude", {})
    patterns, listed = excluded.get("var_names", []), excluded.get("var_list", [])
    decayed = [n not in listed and not any(re.search(p, n.split("/")[-1]) for p in patterns) for n in names]
    window, b1, b2 = config["gradient_accumulation_steps"] or 1, config["beta_1"], config["beta_2"]
    p = [value.copy() for value in initial]
    m, v, vhat, sums, ema = ([np.zeros_like(value) for value in p] for _ in range(5))
    raw, finite_run, clipped, trajectory, scales = 0, 0, [], [], []
    scale = case.get("lossScale", {}).get("initialScale") or config["loss_scale_factor"] or 1.0

    for step, given in enumerate(gradients):
        for event in case.get("events", []):
            raw = event.get("setIterations", raw) if event["beforeStep"] == step else raw
        present = [i for i, g in enumerate(given) if g is not None]
        used_scale, finite = scale, all(np.isfinite(given[i]).all() for i in present)
        if "lossScale" in case:
            finite_run = finite_run + 1 if finite else 0
            grow = finite_run == case["lossScale"]["dynamicGrowthSteps"]
            finite_run, scale = (0, scale * 2) if grow else (finite_run, scale if finite else scale / 2)
            scales.append(scale)
        if finite or "lossScale" not in case:
            t, rate = raw // window + 1, case["learningRates"][step]
            for i in present:
                sums[i] = sums[i] + given[i] / used_scale
            if (raw + 1) % window == 0:
                means, over = clip([sums[i] / window for i in present], config)
                clipped += over
                for i, g in zip(present, means):
                    p[i] = p[i] * (1 - rate * config["weight_decay"] * decayed[i])
                    # Not as b * m + (1 - b) * g: a moment that reached infinity turns NaN on the next step, it does not
                    # stay.
                    m[i], v[i] = m[i] + (1 - b1) * (g - m[i]), v[i] + (1 - b2) * (g * g - v[i])
                    vhat[i] = np.maximum(vhat[i], v[i])
                    second = (vhat if config["amsgrad"] else v)[i] / (1 - b2**t)
                    epsilon = config["epsilon"] / np.sqrt(1 - b2**t)  # Keras adds epsilon before the bias correction
                    p[i] = p[i] - rate * (m[i] / (1 - b1**t)) / (np.sqrt(second) + epsilon)
                sums = [np.zeros_like(s) for s in sums]
            if config["use_ema"]:
                mu = config["ema_momentum"] if t > 1 else 0.0
                ema = [mu * e + (1 - mu) * x for e, x in zip(ema, p)]
                if config["ema_overwrite_frequency"] and t % config["ema_overwrite_frequency"] == 0:
                    p = [e.copy() for e in ema]
            raw += 1
        trajectory.append(p.copy())

    slots = {"momentum": m, "velocity": v}
    slots.update({"velocity_hat": vhat} if config["amsgrad"] else {})
    slots.update({"average": ema} if config["use_ema"] else {})
    slots.update({"gradient_accumulator": sums} if window > 1 else {})
    named = {f"{n.replace('/', '_')}_{slot}": values[i] for slot, values in slots.items() for i, n in enumerate(names)}
    return {
        "trajectory": trajectory,
        "slots": named,
        "averages": ema,
        "scales": scales,
        "iterations": raw // window,
        "clipped": clipped,
    }
