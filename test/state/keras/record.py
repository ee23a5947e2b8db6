"""Saves models of the real Keras for the tests, and checks what this package has put into them.

    python test/state/keras/record.py                # writes the fixtures of this folder (keras 3.15.1)
    FUSED_ADAMW_RECORD=folder npx mocha -g "into a model that Keras saved"
    python test/state/keras/record.py --check folder # loads those files into the real Keras, and goes on
"""

import json
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "numpy"

import keras  # noqa: E402
import numpy as np  # noqa: E402

HERE = Path(__file__).parent
NAMES = ["d1/kernel", "d1/bias", "d2/kernel", "d2/bias"]
SAVED, END = 5, 9


def wave(shape, seed):
    """Numbers that are exact in float32, the same in TypeScript."""
    count = int(np.prod(shape))
    values = [((i * 7919 + seed * 104729 + 13) % 2003 - 1001) / 1024 for i in range(count)]
    return np.array(values, dtype="float32").reshape(shape)


def schedule():
    return keras.optimizers.schedules.ExponentialDecay(0.05, 3, 0.5)


CASES = {
    "plain": lambda: keras.optimizers.AdamW(learning_rate=0.01),
    "everything": lambda: keras.optimizers.AdamW(
        learning_rate=0.01, use_ema=True, amsgrad=True, gradient_accumulation_steps=2, beta_1=0.8
    ),
    "schedule": lambda: keras.optimizers.AdamW(learning_rate=schedule(), global_clipnorm=0.5),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.AdamW(learning_rate=0.01, amsgrad=True), initial_scale=64.0, dynamic_growth_steps=3
    ),
    "adam": lambda: keras.optimizers.Adam(learning_rate=0.01),
}


def model(make):
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, name="d1")(inputs)
    made = keras.Model(inputs, keras.layers.Dense(2, name="d2")(hidden))
    made.compile(optimizer=make(), loss="mse")
    for i, variable in enumerate(made.trainable_variables):
        variable.assign(wave(variable.shape, i))
    made.optimizer.build(made.trainable_variables)
    return made


def train(made, begin, end):
    for step in range(begin, end):
        gradients = [wave(v.shape, step * 10 + i) for i, v in enumerate(made.trainable_variables)]
        made.optimizer.apply(gradients, made.trainable_variables)


def values(variables):
    return [np.asarray(v).astype("float64").reshape(-1).tolist() for v in variables]


def record():
    expected = {}
    for name, make in CASES.items():
        made = model(make)
        train(made, 0, SAVED)
        made.save(HERE / f"{name}.keras")
        made.save_weights(HERE / f"{name}.weights.h5")
        saved = values(made.trainable_variables)
        state = values(made.optimizer.variables)
        train(made, SAVED, END)
        expected[name] = {"saved": saved, "state": state, "end": values(made.trainable_variables)}
    made = model(CASES["plain"])
    made.save(HERE / "legacy.h5")
    (HERE / "expected.json").write_text(json.dumps({"names": NAMES, "cases": expected}) + "\n")


def check(folder):
    expected = json.loads((HERE / "expected.json").read_text())["cases"]
    for name, make in CASES.items():
        for path in sorted(folder.glob(f"{name}.*")):
            kind = ".keras" if path.suffix == ".keras" else ".weights.h5"
            made = keras.saving.load_model(path) if kind == ".keras" else model(make)
            if kind == ".weights.h5":
                made.load_weights(path)
            for actual, reference in zip(values(made.optimizer.variables), expected[name]["state"], strict=True):
                np.testing.assert_allclose(actual, reference, rtol=1e-5, atol=1e-6)
            for variable, value in zip(made.trainable_variables, expected[name]["saved"], strict=True):
                variable.assign(np.array(value, dtype="float32").reshape(variable.shape))
            train(made, SAVED, END)
            for actual, reference in zip(values(made.trainable_variables), expected[name]["end"], strict=True):
                np.testing.assert_allclose(actual, reference, rtol=1e-5, atol=1e-6)
            print(f"Keras {keras.__version__} loads {path.name} and continues the same trajectory")


check(Path(sys.argv[2])) if "--check" in sys.argv else record()
