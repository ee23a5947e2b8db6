"""Records optimizer states of the real PyTorch for the tests, and checks what this package has written.

    python test/state/torch/record.py          # writes the fixtures of this folder (torch 2.13.0)
    python test/state/torch/record.py --check  # loads ours.pt and ours.safetensors into the real PyTorch, and goes on
"""

import json
import sys
from io import BytesIO
from pathlib import Path

import torch

HERE = Path(__file__).parent
SHAPES = {"dense.weight": (5, 3), "dense.bias": (5,), "scale": ()}
SAVED, END = 4, 7
OPTIONS = dict(lr=0.01, betas=(0.85, 0.99), eps=1e-6, weight_decay=0.02, amsgrad=True)


def wave(shape, seed):
    """Numbers that are exact in float32, the same in TypeScript."""
    count = 1
    for extent in shape:
        count *= extent
    values = [((i * 7919 + seed * 104729 + 13) % 2003 - 1001) / 1024 for i in range(count)]
    return torch.tensor(values, dtype=torch.float32).reshape(shape)


def parameters():
    return {name: torch.nn.Parameter(wave(shape, i)) for i, (name, shape) in enumerate(SHAPES.items())}


def step(optimizer, params, index):
    for i, (name, parameter) in enumerate(params.items()):
        # One parameter misses one gradient: its own count stays behind.
        parameter.grad = None if (i, index) == (1, 2) else wave(SHAPES[name], index * 10 + i)
    optimizer.step()


def train(optimizer, params, begin, end):
    for index in range(begin, end):
        step(optimizer, params, index)


def flat(tensor):
    return tensor.detach().double().reshape(-1).tolist()


def state_of(optimizer, params):
    return {
        name: {slot: flat(value) for slot, value in optimizer.state[parameter].items()}
        for name, parameter in params.items()
    }


def record():
    params = parameters()
    optimizer = torch.optim.AdamW(params.items(), **OPTIONS)
    train(optimizer, params, 0, SAVED)
    torch.save(optimizer.state_dict(), HERE / "named.pt")
    unnamed = torch.optim.AdamW(list(params.values()), **OPTIONS)
    unnamed.load_state_dict(optimizer.state_dict())
    dense = params["dense.weight"]
    for slot in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"):
        value = unnamed.state[dense][slot]
        unnamed.state[dense][slot] = value.t().contiguous().t()  # the same numbers, other strides
    state = unnamed.state_dict()
    for group in state["param_groups"]:
        group.pop("param_names", None)
    torch.save({"model": {}, "optimizer": state, "epoch": 3}, HERE / "unnamed.pt")
    torch.save(optimizer.state_dict(), HERE / "legacy.pt", _use_new_zipfile_serialization=False)
    half = optimizer.state_dict()
    half["state"] = {
        id: {slot: value.bfloat16() if value.dim() else value for slot, value in slots.items()}
        for id, slots in half["state"].items()
    }
    torch.save(half, HERE / "bfloat16.pt")
    record_model()
    record_groups()
    saved = {name: flat(value) for name, value in params.items()}
    recorded = {"state": state_of(optimizer, params), "parameters": saved}
    train(optimizer, params, SAVED, END)
    recorded["end"] = {name: flat(value) for name, value in params.items()}
    (HERE / "expected.json").write_text(json.dumps(recorded) + "\n")


def record_model():
    """A checkpoint as PyTorch's tutorials write it: a whole model's state_dict beside the optimizer's."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            parameter.copy_(wave(parameter.shape, i))
    optimizer = torch.optim.AdamW(model.named_parameters(), **OPTIONS)
    for i, parameter in enumerate(model.parameters()):
        parameter.grad = wave(parameter.shape, 10 + i)
    optimizer.step()
    checkpoint = {"epoch": 3, "model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict()}
    torch.save(checkpoint, HERE / "model.pt")
    moments = {name: flat(optimizer.state[value]["exp_avg"]) for name, value in model.named_parameters()}
    (HERE / "model.json").write_text(json.dumps(moments) + "\n")


def record_groups():
    """Groups that differ in what groups of this package can say, and in amsgrad, which they cannot."""
    for name, shared, options in [
        ("groups.pt", OPTIONS, dict(lr=0.05, weight_decay=0.0, betas=(0.85, 0.95), eps=1e-5)),
        ("mixed.pt", OPTIONS | dict(amsgrad=False), dict(amsgrad=True)),
    ]:
        params = parameters()
        weight, *others = params.items()
        optimizer = torch.optim.AdamW([{"params": [weight]}, {"params": others, **options}], **shared)
        train(optimizer, params, 0, SAVED)
        torch.save(optimizer.state_dict(), HERE / name)


def check():
    from safetensors.torch import load_file

    params = parameters()
    reference = torch.optim.AdamW(params.items(), **OPTIONS)
    train(reference, params, 0, SAVED)
    loaded = torch.load(HERE / "ours.pt", weights_only=True)
    plain = load_file(HERE / "ours.safetensors")
    other = {name: torch.nn.Parameter(value.detach().clone()) for name, value in params.items()}
    optimizer = torch.optim.AdamW(other.items(), lr=1.0)
    optimizer.load_state_dict(loaded)
    for name, parameter in other.items():
        for slot, expected in reference.state[params[name]].items():
            actual = optimizer.state[parameter][slot]
            torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-9)
            assert torch.equal(actual.double(), plain[f"{name}.{slot}"].double()), (name, slot)
    train(reference, params, SAVED, END)
    train(optimizer, other, SAVED, END)
    for name in SHAPES:
        torch.testing.assert_close(other[name], params[name], rtol=1e-6, atol=1e-7)
    assert loaded["param_groups"][0]["param_names"] == list(SHAPES)
    # The counts that only this package knows are kept, and stay what they were when PyTorch goes on.
    torch.save(optimizer.state_dict(), BytesIO())
    for key, value in loaded["param_groups"][0].items():
        if key.startswith("fused_adamw_"):
            assert optimizer.state_dict()["param_groups"][0][key] == value, key
    assert loaded["param_groups"][0]["fused_adamw_steps"] == SAVED
    print("PyTorch", torch.__version__, "loads ours.pt and ours.safetensors and continues the same trajectory")


check() if "--check" in sys.argv else record()
