"""The table of Keras cases: what is varied, and nothing else. Every case runs at float64 and at float32.

`options` are AdamW's arguments; a schedule is written as (class name, arguments). `missing` lists gradients that are None,
`faults` single elements replaced by NaN or an infinity, `events` what happens before a step.
"""

import itertools

KERNEL, BIAS, GAMMA, HEAD = "block/dense/kernel", "block/dense/bias", "block/norm/gamma", "head/kernel"
NAN, INFINITY = float("nan"), float("inf")

# Limits in the middle of the gradients' norms: every case has steps below and above (asserted by --check).
CLIPPINGS = [{"clipnorm": 2.0}, {"clipvalue": 0.75}, {"global_clipnorm": 4.5}]

SCHEDULES = [
    ("ExponentialDecay", {"initial_learning_rate": 0.01, "decay_steps": 4, "decay_rate": 0.7, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [3, 7], "values": [0.01, 0.003, 0.02]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.01, "decay_steps": 10, "end_learning_rate": 0.001, "power": 1.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.01, "decay_steps": 3, "decay_rate": 0.5}),
    (
        "CosineDecay",
        {"initial_learning_rate": 0.001, "decay_steps": 9, "alpha": 0.1, "warmup_target": 0.02, "warmup_steps": 4},
    ),
    (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.01, "first_decay_steps": 5, "t_mul": 2.0, "m_mul": 0.9, "alpha": 0.05},
    ),
]


def case(name, options=None, **rest):
    options = options or {}
    return {"name": name, "options": options, "steps": 16 if options.get("gradient_accumulation_steps") else 12, **rest}


def at(parameter, *steps):
    return [{"step": step, "parameter": parameter} for step in steps]


def fault(step, parameter, element, value):
    return {"step": step, "parameter": parameter, "element": element, "value": value}


def describe(options):
    return ", ".join(f"{key} {value}" for key, value in options.items())


def single_options():
    yield case("defaults")
    for options in [
        {"learning_rate": 0.05},
        {"learning_rate": 0.0},
        {"weight_decay": 0.0},
        {"weight_decay": 0.3},
        {"beta_1": 0.0},
        {"beta_1": 0.5},
        {"beta_1": 0.99},
        {"beta_2": 0.9},
        {"beta_2": 0.9999},
        {"epsilon": 1e-3},
        {"epsilon": 1e-12},
        {"amsgrad": True},
        {"amsgrad": True, "beta_2": 0.5},
        *CLIPPINGS,
        {"use_ema": True},
        {"use_ema": True, "ema_momentum": 0.5},
        {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 3},
        {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 1},
        {"loss_scale_factor": 128.0},
        {"loss_scale_factor": 3.0},
        {"gradient_accumulation_steps": 2},
        {"gradient_accumulation_steps": 3},
    ]:
        yield case(describe(options), options)
    yield case("use_ema, finalized", {"use_ema": True, "ema_momentum": 0.9}, finalize=True)
    # Bias correction far from the start, where a running product of betas has drifted.
    for iterations in (99, 10_000, 1_000_000):
        yield case(f"resumed at iteration {iterations}", events=[{"beforeStep": 0, "setIterations": iterations}])


def combinations():
    for clipping, (steps, frequency) in itertools.product(CLIPPINGS, [(2, 2), (2, 3), (3, 2)]):
        options = {
            "gradient_accumulation_steps": steps,
            "use_ema": True,
            "ema_momentum": 0.8,
            "ema_overwrite_frequency": frequency,
            **clipping,
        }
        yield case(f"accumulation {steps}, EMA overwrite {frequency}, {describe(clipping)}", options)
    for clipping in CLIPPINGS:
        yield case(f"accumulation, {describe(clipping)}", {"gradient_accumulation_steps": 2, **clipping})
        options = {
            "amsgrad": True,
            "beta_2": 0.8,
            "weight_decay": 0.1,
            "use_ema": True,
            "ema_momentum": 0.9,
            "ema_overwrite_frequency": 4,
            "loss_scale_factor": 0.5,
            "gradient_accumulation_steps": 2,
            **clipping,
        }
        yield case(
            f"everything at once with amsgrad, {describe(clipping)}",
            options,
            exclude={"var_names": ["bias"]},
            finalize=True,
        )
    yield case(
        "accumulation, EMA, finalized",
        {"gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.9},
        finalize=True,
    )


def missing_gradients():
    accumulating = {"gradient_accumulation_steps": 2}
    some = at(BIAS, 0, 3, 4) + at(KERNEL, 6) + at(HEAD, 6, 11)
    yield case("missing gradients", {"weight_decay": 0.1}, missing=some)
    yield case("missing gradients, amsgrad", {"amsgrad": True, "beta_2": 0.5}, missing=some)
    yield case(
        "missing gradients, EMA overwrite",
        {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 4},
        missing=some,
    )
    yield case("missing gradients, global_clipnorm", {"global_clipnorm": 4.5}, missing=some)
    yield case("a parameter that never has a gradient", {"weight_decay": 0.1}, missing=at(GAMMA, *range(12)))
    yield case(
        "missing on update micro-steps: what was accumulated is lost",
        accumulating,
        missing=at(BIAS, 1, 7) + at(KERNEL, 5),
    )
    yield case("missing on accumulating micro-steps", accumulating, missing=at(BIAS, 0, 6) + at(HEAD, 4))
    yield case("missing on both micro-steps", accumulating, missing=at(GAMMA, 2, 3, 7, 8))
    yield case(
        "missing on micro-steps, global_clipnorm, EMA",
        {**accumulating, "global_clipnorm": 4.0, "use_ema": True, "ema_overwrite_frequency": 3},
        missing=at(BIAS, 1, 2) + at(KERNEL, 4, 9),
    )


def exclusions():
    strong = {"weight_decay": 0.3}
    for pattern in (["bias|gamma"], ["^b"], ["ern.l$"], ["bias", "gamma"], ["Bias"]):
        yield case(f"excluded names {pattern}", strong, exclude={"var_names": pattern})
    # The pattern sees `variable.name`, the last component only.
    yield case(
        "excluded names that match only the path", strong, exclude={"var_names": ["block", "dense/kernel", "^head"]}
    )
    yield case("excluded variables", strong, exclude={"var_list": [KERNEL, GAMMA]})
    yield case("excluded variables and names", strong, exclude={"var_names": ["bias"], "var_list": [HEAD]})
    yield case("all excluded", strong, exclude={"var_names": [""]})


def learning_rates():
    change = [{"beforeStep": 6, "setLearningRate": 0.003}, {"beforeStep": 9, "setLearningRate": 0.0}]
    yield case("learning rate set in the middle", events=change)
    yield case(
        "learning rate set in the middle of a window",
        {"gradient_accumulation_steps": 2},
        events=[{"beforeStep": 5, "setLearningRate": 0.02}],
    )
    for schedule in SCHEDULES:
        yield case(schedule[0], {"learning_rate": schedule})
        yield case(
            f"{schedule[0]}, accumulation: the schedule sees raw iterations",
            {"learning_rate": schedule, "gradient_accumulation_steps": 3},
        )


def loss_scaling():
    scaling = {"initialScale": 16.0, "dynamicGrowthSteps": 3}
    faults = [fault(2, KERNEL, 7, INFINITY), fault(7, GAMMA, 0, NAN), fault(8, HEAD, 3, -INFINITY)]
    yield case("dynamic loss scale", lossScale=scaling)
    yield case("dynamic loss scale, growth every step", lossScale={"initialScale": 0.25, "dynamicGrowthSteps": 1})
    yield case("dynamic loss scale, non-finite gradients", lossScale=scaling, faults=faults)
    yield case("dynamic loss scale, non-finite first step", lossScale=scaling, faults=[fault(0, BIAS, 1, NAN)])
    yield case(
        "dynamic loss scale, non-finite gradients, EMA, global_clipnorm",
        {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 3, "global_clipnorm": 0.5},
        lossScale=scaling,
        faults=faults,
        finalize=True,
    )
    yield case(
        "dynamic loss scale, accumulation: a non-finite micro-batch drops out alone",
        {"gradient_accumulation_steps": 2},
        lossScale=scaling,
        faults=faults,
    )
    yield case(
        "dynamic loss scale, missing gradients",
        {"weight_decay": 0.1},
        lossScale=scaling,
        faults=faults[:1],
        missing=at(BIAS, 1, 2, 5),
    )
    yield case(
        "dynamic loss scale, schedule stands still on skipped steps",
        {"learning_rate": SCHEDULES[2]},
        lossScale=scaling,
        faults=faults,
    )
    yield case(
        "dynamic loss scale, learning rate set in the middle",
        lossScale=scaling,
        faults=faults,
        events=[{"beforeStep": 7, "setLearningRate": 0.01}],
    )


def non_finite_gradients():
    """Keras propagates: which elements become NaN depends on the clipping."""
    faults = [fault(4, BIAS, 1, NAN), fault(6, HEAD, 2, INFINITY), fault(8, KERNEL, 5, -INFINITY)]
    yield case("non-finite gradients propagate", faults=faults)
    yield case("non-finite gradients propagate, amsgrad", {"amsgrad": True}, faults=faults)
    for clipping in CLIPPINGS:
        yield case(f"non-finite gradients propagate, {describe(clipping)}", clipping, faults=faults)
    yield case("non-finite gradients propagate, accumulation", {"gradient_accumulation_steps": 2}, faults=faults[:2])


TOPICS = [
    single_options,
    combinations,
    missing_gradients,
    exclusions,
    learning_rates,
    loss_scaling,
    non_finite_gradients,
]


def all_cases():
    return [entry for topic in TOPICS for entry in topic()]
