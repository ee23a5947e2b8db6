"""Records the values of Keras' six learning rate schedules in float64: schedules.json."""

import math

import fixtures
import keras_setup

FAR = [1_000, 12_345, 1_000_000, 2**24 + 1]  # the last is where float32 loses steps
START = [0, 1, 2, 3, 5]

EXPONENTIAL = {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.96}
PIECEWISE = {"boundaries": [10, 25, 100], "values": [0.1, 0.05, 0.01, 0.002]}
POLYNOMIAL = {"initial_learning_rate": 0.1, "decay_steps": 20}
INVERSE = {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5}
COSINE = {"initial_learning_rate": 0.1, "decay_steps": 50}
RESTARTS = {"initial_learning_rate": 0.1, "first_decay_steps": 10}

# (class name, arguments, the steps where something changes)
TABLE = [
    ("ExponentialDecay", EXPONENTIAL, [10, 20]),
    ("ExponentialDecay", {**EXPONENTIAL, "staircase": True}, [10, 20, 100]),
    ("ExponentialDecay", {**EXPONENTIAL, "decay_rate": 1.02, "decay_steps": 1000}, [1000]),
    ("PiecewiseConstantDecay", PIECEWISE, [10, 25, 100]),
    ("PiecewiseConstantDecay", {"boundaries": [0], "values": [0.3, 0.1]}, []),
    ("PiecewiseConstantDecay", {"boundaries": [2.7, 6.2], "values": [0.3, 0.2, 0.1]}, [2, 6]),  # Keras truncates
    ("PolynomialDecay", POLYNOMIAL, [20, 40]),
    ("PolynomialDecay", {**POLYNOMIAL, "power": 2.0, "end_learning_rate": 0.01}, [20, 40]),
    ("PolynomialDecay", {**POLYNOMIAL, "power": 0.5, "end_learning_rate": 0.0}, [20, 40]),
    ("PolynomialDecay", {**POLYNOMIAL, "cycle": True}, [20, 40, 60]),
    ("PolynomialDecay", {**POLYNOMIAL, "cycle": True, "power": 1.5, "end_learning_rate": 0.2}, [20, 40]),
    ("InverseTimeDecay", INVERSE, [7, 14]),
    ("InverseTimeDecay", {**INVERSE, "staircase": True}, [7, 14, 70]),
    ("CosineDecay", COSINE, [25, 50]),
    ("CosineDecay", {**COSINE, "alpha": 0.1}, [25, 50]),
    ("CosineDecay", {**COSINE, "warmup_target": 0.5, "warmup_steps": 10}, [10, 50, 60]),
    ("CosineDecay", {**COSINE, "warmup_target": 0.5, "warmup_steps": 10, "alpha": 0.25}, [10, 60]),
    (
        "CosineDecay",
        {**COSINE, "warmup_target": 0.5},
        [50],
    ),  # a target without steps: no warm-up, decays from the target
    ("CosineDecay", {**COSINE, "initial_learning_rate": 0.0, "warmup_target": 0.1, "warmup_steps": 7}, [7, 57]),
    ("CosineDecayRestarts", RESTARTS, [10, 30, 70, 150, 310]),
    ("CosineDecayRestarts", {**RESTARTS, "t_mul": 1.0}, [10, 20, 30]),
    ("CosineDecayRestarts", {**RESTARTS, "t_mul": 1.5}, [10, 25, 47, 48]),
    ("CosineDecayRestarts", {**RESTARTS, "m_mul": 0.9}, [10, 30, 70]),
    ("CosineDecayRestarts", {**RESTARTS, "t_mul": 1.0, "m_mul": 0.9, "alpha": 0.1}, [10, 20, 30]),
    (
        "CosineDecayRestarts",
        {**RESTARTS, "t_mul": 1.5, "m_mul": 0.8, "alpha": 0.05, "first_decay_steps": 7},
        [7, 17, 18],
    ),
]


def steps_of(changes):
    return sorted({*START, *FAR, *(change + offset for change in changes for offset in (-1, 0, 1))})


def record():
    keras = keras_setup.load("numpy")
    keras_setup.set_floatx(keras, "float64")
    cases = []
    for class_name, arguments, changes in TABLE:
        schedule = getattr(keras.optimizers.schedules, class_name)(**arguments)
        config, steps = schedule.get_config(), steps_of(changes)
        values = [schedule(step) for step in steps]
        assert all(value.dtype == "float64" for value in values)
        cases.append(
            {
                "name": f"{class_name} {arguments}",
                "class_name": class_name,
                "config": config,
                "serialized": keras.optimizers.schedules.serialize(schedule),
                "steps": steps,
                "values": [float(value) for value in values],
            }
        )
    fixtures.write(
        "schedules", {"library": f"keras {keras.__version__}", "backend": "numpy", "floatx": "float64"}, cases
    )


def cosine(fraction):
    return 0.5 * (1 + math.cos(math.pi * fraction))


def rate(class_name, c, step):
    """The documented formulas."""
    start, period = c.get("initial_learning_rate"), c.get("decay_steps")
    if class_name == "PiecewiseConstantDecay":
        return next((v for b, v in zip(c["boundaries"], c["values"]) if step <= math.trunc(b)), c["values"][-1])
    if class_name == "CosineDecayRestarts":
        # Keras finds the period by a logarithm; the recorded steps include exact restarts, where its last bit decides.
        begin, length, amplitude = 0, c["first_decay_steps"], 1.0
        while step >= begin + length:
            begin, length, amplitude = begin + length, length * c["t_mul"], amplitude * c["m_mul"]
        return start * ((1 - c["alpha"]) * amplitude * cosine((step - begin) / length) + c["alpha"])
    if class_name == "CosineDecay":
        warmup = c["warmup_steps"] if c["warmup_target"] is not None else 0
        if step < warmup:
            return start + (c["warmup_target"] - start) * step / warmup
        top = start if c["warmup_target"] is None else c["warmup_target"]
        return top * ((1 - c["alpha"]) * cosine(min(step - warmup, period) / period) + c["alpha"])
    if class_name == "PolynomialDecay":
        period = period * max(1, math.ceil(step / period)) if c["cycle"] else period
        end = c["end_learning_rate"]
        return end + (start - end) * (1 - min(step, period) / period) ** c["power"]
    periods = step // period if c["staircase"] else step / period
    if class_name == "ExponentialDecay":
        return start * math.pow(c["decay_rate"], periods)
    return start / (1 + c["decay_rate"] * periods)


def check():
    fixture, compared = fixtures.read("schedules"), 0
    for case in fixture["cases"]:
        for step, value in zip(case["steps"], case["values"], strict=True):
            expected = rate(case["class_name"], case["config"], step)
            # Near a cosine's zero the error is relative to its amplitude.
            assert math.isclose(value, expected, rel_tol=1e-11, abs_tol=1e-10), (case["name"], step, value, expected)
            compared += 1
    print(f"schedules: {compared} values agree with the documented formulas")


if __name__ == "__main__":
    fixtures.main(record, check)
