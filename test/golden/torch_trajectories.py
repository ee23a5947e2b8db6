"""Records trajectories of PyTorch's AdamW (float64, the single-tensor path): torch-float64.json."""

import numpy as np

import fixtures
from fixtures import GRADIENTS, INITIAL, PARAMETERS
from keras_cases import BIAS, GAMMA, HEAD, KERNEL, at, describe

DEFAULTS = {"lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 1e-2, "amsgrad": False, "maximize": False}
NAMES = [parameter["name"] for parameter in PARAMETERS]
SLOTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")


def case(name, options=None, **rest):
    """`options` hold for every group that does not set them itself; `groups` list parameters by name, in recorded order."""
    groups = rest.pop("groups", [{"params": NAMES}])
    assert [name for group in groups for name in group["params"]] == NAMES
    return {"name": name, "steps": 12, "groups": [{**DEFAULTS, **(options or {}), **group} for group in groups], **rest}


def all_cases():
    yield case("defaults")
    for options in [
        {"lr": 0.05},
        {"lr": 0.0},
        {"betas": [0.0, 0.99]},
        {"betas": [0.5, 0.9]},
        {"betas": [0.95, 0.9999]},
        {"eps": 1e-3},
        {"eps": 1e-12},
        {"weight_decay": 0.0},
        {"weight_decay": 0.3},
        {"amsgrad": True},
        {"amsgrad": True, "betas": [0.9, 0.5]},
        {"maximize": True},
        {"amsgrad": True, "maximize": True, "betas": [0.9, 0.5]},
    ]:
        yield case(describe(options), options)
    some = at(BIAS, 0, 3, 4) + at(KERNEL, 6) + at(HEAD, 6, 11)
    yield case("missing gradients: each parameter counts its own steps", {"weight_decay": 0.1}, missing=some)
    yield case(
        "missing gradients, amsgrad, maximize", {"amsgrad": True, "maximize": True, "betas": [0.9, 0.5]}, missing=some
    )
    yield case("a parameter that never has a gradient", missing=at(GAMMA, *range(12)))
    yield case("lr changed in the middle", events=[{"beforeStep": 6, "setLearningRate": 0.003}])
    yield case(
        "weight decay by group",
        groups=[
            {"params": [KERNEL], "weight_decay": 0.3},
            {"params": [BIAS, GAMMA], "weight_decay": 0.0},
            {"params": [HEAD]},
        ],
    )
    yield case(
        "lr, betas and eps by group",
        groups=[
            {"params": [KERNEL], "lr": 0.01},
            {"params": [BIAS], "lr": 1e-4, "weight_decay": 0.0},
            {"params": [GAMMA, HEAD], "betas": [0.8, 0.95], "eps": 1e-6},
        ],
    )


def record_case(torch, case):
    parameters = [
        torch.nn.Parameter(torch.tensor(value, dtype=torch.float64).reshape(parameter["shape"]))
        for parameter, value in zip(PARAMETERS, INITIAL)
    ]
    by_name = dict(zip(NAMES, parameters))
    groups = [{**group, "params": [by_name[name] for name in group["params"]]} for group in case["groups"]]
    optimizer = torch.optim.AdamW(groups, foreach=False, fused=False)
    trajectory = []
    for step, gradients in enumerate(fixtures.case_gradients(case, GRADIENTS)):
        for event in case.get("events", []):
            if event["beforeStep"] == step:
                for group in optimizer.param_groups:
                    group["lr"] = event["setLearningRate"]
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = None if gradient is None else torch.from_numpy(gradient).reshape(parameter.shape)
        optimizer.step()
        trajectory.append([parameter.detach().numpy().copy() for parameter in parameters])
    state = {}
    for name, parameter in by_name.items():
        slots = optimizer.state.get(parameter)  # absent for a parameter that never had a gradient
        if slots:
            state[name] = {"step": int(slots["step"]), **{slot: slots[slot].numpy() for slot in SLOTS if slot in slots}}
    return {"trajectory": trajectory, "final": {"state": state}}


def record():
    import torch

    cases = [{**case, **record_case(torch, case)} for case in all_cases()]
    header = {"library": f"torch {torch.__version__.split('+')[0]}", "floatx": "float64"}
    fixtures.write("torch-float64", {**header, **fixtures.inputs_header()}, cases)


def replay(group, index, case, value, gradients):
    """One parameter's trajectory by the AdamW paper, epsilon added after the bias correction."""
    (b1, b2), rate, t = group["betas"], group["lr"], 0
    m, v, vmax, trajectory = 0.0, 0.0, 0.0, []
    for step, given in enumerate(gradients):
        for event in case.get("events", []):
            rate = event["setLearningRate"] if event["beforeStep"] == step else rate
        if given[index] is not None:
            t, g = t + 1, given[index] * (-1 if group["maximize"] else 1)
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
            vmax = np.maximum(vmax, v)
            second = (vmax if group["amsgrad"] else v) / (1 - b2**t)
            value = value * (1 - rate * group["weight_decay"]) - rate * m / (1 - b1**t) / (
                np.sqrt(second) + group["eps"]
            )
        trajectory.append(value)
    return trajectory, {
        "step": t,
        "exp_avg": m,
        "exp_avg_sq": v,
        **({"max_exp_avg_sq": vmax} if group["amsgrad"] else {}),
    }


def check():
    fixture = fixtures.read("torch-float64")
    initial, shared = fixtures.read_inputs(fixture)
    worst = 0.0
    for case in fixture["cases"]:
        gradients = fixtures.case_gradients(case, shared)
        for group in case["groups"]:
            for name in group["params"]:
                index = fixtures.index_of(name)
                trajectory, state = replay(group, index, case, initial[index], gradients)
                recorded = case["final"]["state"].get(name, {"step": 0})
                assert recorded["step"] == state["step"], case["name"]
                assert not recorded["step"] or recorded.keys() == state.keys(), case["name"]
                slots = [slot for slot in SLOTS if slot in recorded]
                error = max(
                    fixtures.worst_error(trajectory, [step[index] for step in case["trajectory"]]),
                    fixtures.worst_error([state[slot] for slot in slots], [recorded[slot] for slot in slots]),
                )
                assert error < 1e-12, f"{case['name']}, {name}: {error}"
                worst = max(worst, error)
    print(f"torch-float64: {len(fixture['cases'])} cases agree with the reference, worst relative error {worst:.2g}")


if __name__ == "__main__":
    fixtures.main(record, check)
