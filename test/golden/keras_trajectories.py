"""Records trajectories of Keras' AdamW and LossScaleOptimizer: keras-float64.json and keras-float32.json.

The numpy backend runs the backend-independent optimizer code.
"""

import warnings
from contextlib import ExitStack

import numpy as np

import fixtures
import keras_setup
from fixtures import PARAMETERS
from keras_cases import all_cases
from keras_reference import replay

FLOATS = ("float64", "float32")

# The reference does the same operations in another form and order; what remains is rounding, amplified where
# 1 - beta_2^t cancels.
TOLERANCES = {"float64": 1e-12, "float32": 2e-5}


def make_variable(keras, parameter, value, floatx):
    *scopes, name = parameter["name"].split("/")
    with ExitStack() as stack:
        for scope in scopes:
            stack.enter_context(keras.name_scope(scope))
        variable = keras.Variable(value.reshape(parameter["shape"]), name=name, dtype=floatx)
    assert variable.path == parameter["name"] and variable.name == name
    return variable


def make_optimizer(keras, case, variables):
    options = dict(case["options"])
    if isinstance(options.get("learning_rate"), tuple):
        class_name, arguments = options["learning_rate"]
        options["learning_rate"] = getattr(keras.optimizers.schedules, class_name)(**arguments)
    inner = keras.optimizers.AdamW(**options, name="adamw")
    if "exclude" in case:
        listed = [variables[fixtures.index_of(name)] for name in case["exclude"].get("var_list", [])]
        inner.exclude_from_weight_decay(var_list=listed, var_names=case["exclude"].get("var_names"))
    if "lossScale" not in case:
        return inner, inner
    scaling = case["lossScale"]
    outer = keras.optimizers.LossScaleOptimizer(
        inner, scaling["initialScale"], scaling["dynamicGrowthSteps"], name="loss_scale_optimizer"
    )
    return outer, inner


def record_case(keras, case, floatx):
    variables = [make_variable(keras, *pair, floatx) for pair in zip(PARAMETERS, fixtures.INITIAL)]
    optimizer, inner = make_optimizer(keras, case, variables)
    optimizer.build(variables)
    recorded = {"config": optimizer.get_config(), "serialized": keras.optimizers.serialize(optimizer)}
    trajectory, rates, scales = [], [], []
    for step, gradients in enumerate(fixtures.case_gradients(case, fixtures.GRADIENTS)):
        for event in case.get("events", []):
            if event["beforeStep"] == step and "setLearningRate" in event:
                optimizer.learning_rate = event["setLearningRate"]
            if event["beforeStep"] == step and "setIterations" in event:
                inner.variables[0].assign(event["setIterations"])
        rates.append(float(keras.ops.convert_to_numpy(optimizer.learning_rate)))
        shaped = [
            None if gradient is None else gradient.reshape(parameter["shape"]).astype(floatx)
            for parameter, gradient in zip(PARAMETERS, gradients)
        ]
        optimizer.apply(shaped, variables)
        trajectory.append([variable.numpy().copy() for variable in variables])
        if "lossScale" in case:
            scales.append(float(optimizer.dynamic_scale.numpy()))
    assert all(value.dtype == floatx for step in trajectory for value in step)
    recorded["trajectory"] = trajectory
    recorded["learningRates"] = rates
    if scales:
        recorded["scales"] = scales
    recorded["final"] = {
        "iterations": int(optimizer.iterations),
        "variables": [
            {"path": variable.path, "shape": list(variable.shape), "dtype": variable.dtype, "value": variable.numpy()}
            for variable in optimizer.variables
        ],
    }
    if case.get("finalize"):
        optimizer.finalize_variable_values(variables)
        recorded["finalized"] = [variable.numpy() for variable in variables]
    return recorded


def record():
    keras = keras_setup.load("numpy")
    warnings.filterwarnings("ignore", message="Gradients do not exist")
    for floatx in FLOATS:
        keras_setup.set_floatx(keras, floatx)
        cases = []
        with np.errstate(all="ignore"):
            for case in all_cases():
                shown = {key: value for key, value in case.items() if key not in ("options", "finalize")}
                cases.append({**shown, **record_case(keras, case, floatx)})
        header = {"library": f"keras {keras.__version__}", "backend": keras.backend.backend(), "floatx": floatx}
        fixtures.write(f"keras-{floatx}", {**header, **fixtures.inputs_header()}, cases)


def check():
    for floatx in FLOATS:
        fixture = fixtures.read(f"keras-{floatx}")
        initial, shared = fixtures.read_inputs(fixture)
        worst = 0.0
        for case in fixture["cases"]:
            with np.errstate(all="ignore"):
                result = replay(case, PARAMETERS, initial, fixtures.case_gradients(case, shared))
            expected = {variable["path"]: variable["value"] for variable in case["final"]["variables"]}
            assert case["final"]["iterations"] == result["iterations"], case["name"]
            assert case.get("scales", []) == result["scales"], case["name"]
            pairs = [*zip(result["trajectory"], case["trajectory"], strict=True)]
            pairs.append(([*result["slots"].values()], [expected.pop(f"adamw/{path}") for path in result["slots"]]))
            assert all(
                path.endswith(("iteration", "learning_rate", "step_counter", "dynamic_scale")) for path in expected
            )
            if "finalized" in case:
                pairs.append((result["averages"], case["finalized"]))
            error = max(fixtures.worst_error(ours, theirs) for ours, theirs in pairs)
            assert error < TOLERANCES[floatx], f"{floatx}, {case['name']}: {error}"
            clipped = result["clipped"]
            assert not clipped or (any(clipped) and not all(clipped)), f"{case['name']}: never or always clipped"
            worst = max(worst, error)
        print(
            f"keras-{floatx}: {len(fixture['cases'])} cases agree with the reference, worst relative error {worst:.2g}"
        )


if __name__ == "__main__":
    fixtures.main(record, check)
