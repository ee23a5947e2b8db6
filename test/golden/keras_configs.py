"""Records what Keras writes for an optimizer's configuration: configs.json.

Keras fixes its backend at import, so this script runs itself once per backend and merges the results.
"""

import json
import os
import subprocess
import sys

import fixtures
import keras_setup
from keras_cases import SCHEDULES


def warmup_then_hold():
    return 0.001


# (name, AdamW's arguments, LossScaleOptimizer's arguments or None, backend, floatx)
TABLE = [
    ("defaults", {}, None, "numpy", "float32"),
    ("defaults, float64", {}, None, "numpy", "float64"),
    ("learning rate", {"learning_rate": 0.01}, None, "numpy", "float32"),
    ("learning rate, float64", {"learning_rate": 0.01}, None, "numpy", "float64"),
    ("a learning rate exact in float32", {"learning_rate": 0.25}, None, "numpy", "float32"),
    ("learning rate 0", {"learning_rate": 0.0}, None, "numpy", "float32"),
    ("a tiny learning rate", {"learning_rate": 3e-10, "epsilon": 1e-12}, None, "numpy", "float32"),
    (
        "learning rate 1 and integers",
        {"learning_rate": 1.0, "weight_decay": 0, "clipnorm": 1},
        None,
        "numpy",
        "float32",
    ),
    (
        "betas, epsilon, amsgrad",
        {"beta_1": 0.95, "beta_2": 0.98, "epsilon": 1e-3, "amsgrad": True, "weight_decay": 0.05},
        None,
        "numpy",
        "float32",
    ),
    ("clipnorm", {"clipnorm": 1.5}, None, "numpy", "float32"),
    ("clipvalue", {"clipvalue": 0.5}, None, "numpy", "float32"),
    ("global_clipnorm", {"global_clipnorm": 1.0}, None, "numpy", "float32"),
    ("EMA", {"use_ema": True, "ema_momentum": 0.999, "ema_overwrite_frequency": 100}, None, "numpy", "float32"),
    (
        "loss scale and accumulation",
        {"loss_scale_factor": 1024.0, "gradient_accumulation_steps": 4},
        None,
        "numpy",
        "float32",
    ),
    (
        "everything",
        {
            "learning_rate": 3e-4,
            "weight_decay": 0.1,
            "global_clipnorm": 0.7,
            "use_ema": True,
            "ema_momentum": 0.95,
            "ema_overwrite_frequency": 10,
            "loss_scale_factor": 8.0,
            "gradient_accumulation_steps": 3,
            "beta_1": 0.8,
            "beta_2": 0.95,
            "epsilon": 1e-8,
            "amsgrad": True,
        },
        None,
        "numpy",
        "float32",
    ),
    ("a name of its own", {"name": 'decoder adamw \u00e9\u2713 "1"'}, None, "numpy", "float32"),
    ("a function", {"learning_rate": warmup_then_hold}, None, "numpy", "float32"),
    *((f"{schedule[0]}", {"learning_rate": schedule}, None, "numpy", "float32") for schedule in SCHEDULES),
    (
        "CosineDecay with defaults",
        {"learning_rate": ("CosineDecay", {"initial_learning_rate": 1e-3, "decay_steps": 10_000})},
        None,
        "numpy",
        "float32",
    ),
    ("LossScaleOptimizer", {}, {}, "numpy", "float32"),
    (
        "LossScaleOptimizer with options",
        {"learning_rate": SCHEDULES[4], "gradient_accumulation_steps": 2},
        {"initial_scale": 1024.0, "dynamic_growth_steps": 100, "name": "scaler"},
        "numpy",
        "float32",
    ),
    ("defaults, torch backend", {}, None, "torch", "float32"),
    ("schedule, torch backend", {"learning_rate": SCHEDULES[0], "amsgrad": True}, None, "torch", "float32"),
    ("LossScaleOptimizer, torch backend", {"clipnorm": 1.0}, {}, "torch", "float32"),
]


def make_optimizer(keras, arguments, scaling):
    arguments = {"name": "adamw", **arguments}
    if isinstance(arguments.get("learning_rate"), tuple):
        class_name, options = arguments["learning_rate"]
        arguments["learning_rate"] = getattr(keras.optimizers.schedules, class_name)(**options)
    optimizer = keras.optimizers.AdamW(**arguments)
    if scaling is None:
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer, **{"name": "loss_scale_optimizer", **scaling})


def backend_cases(backend):
    keras = keras_setup.load(backend)
    cases = []
    for name, arguments, scaling, case_backend, floatx in TABLE:
        if case_backend == backend:
            keras.config.set_floatx(floatx)
            optimizer = make_optimizer(keras, arguments, scaling)
            config, serialized = optimizer.get_config(), keras.optimizers.serialize(optimizer)
            cases.append(
                {
                    "name": name,
                    "backend": backend,
                    "floatx": floatx,
                    "class_name": type(optimizer).__name__,
                    "config": config,
                    "configJson": json.dumps(config, separators=(",", ":")),
                    "serialized": serialized,
                    "serializedJson": json.dumps(serialized, separators=(",", ":")),
                }
            )
    return {"library": f"keras {keras.__version__}", "cases": cases}


def run_backend(backend):
    command = [sys.executable, __file__, backend]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    return json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)


def record():
    parts = [run_backend(backend) for backend in dict.fromkeys(row[3] for row in TABLE)]
    fixtures.write("configs", {"library": parts[0]["library"]}, [case for part in parts for case in part["cases"]])


def check():
    """The texts say what the objects say, and keep the order of the keys."""
    fixture = fixtures.read("configs")
    for case in fixture["cases"]:
        for key in ("config", "serialized"):
            parsed = json.loads(case[f"{key}Json"])
            assert parsed == case[key] and list(parsed) == list(case[key]), case["name"]
        assert case["serialized"]["config"] == case["config"] and case["serialized"]["class_name"] == case["class_name"]
    print(f"configs: {len(fixture['cases'])} texts agree with their objects")


if __name__ == "__main__":
    if sys.argv[1:] in (["numpy"], ["torch"]):
        print(json.dumps(backend_cases(sys.argv[1])))
    else:
        fixtures.main(record, check)
