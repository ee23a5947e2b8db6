"""The shared inputs of every recorded trajectory, and the one way the fixtures are written and read."""

import argparse
import itertools
import json
import math
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
STEPS = 16
SIZE_LIMIT = 1 << 20

# Three ranks, one parameter whose last path component is shared with another ("kernel"), none a multiple of a SIMD
# width.
PARAMETERS = [
    {"name": "block/dense/kernel", "shape": [3, 4]},
    {"name": "block/dense/bias", "shape": [4]},
    {"name": "block/norm/gamma", "shape": [4]},
    {"name": "head/kernel", "shape": [4, 1]},
]
SIZES = [math.prod(parameter["shape"]) for parameter in PARAMETERS]
OFFSETS = np.cumsum([0, *SIZES])


def split(flat):
    return [flat[begin:end] for begin, end in itertools.pairwise(OFFSETS)]


def make_inputs():
    """Initial values and gradients, exact in float32, so that float32 and float64 runs start from the same numbers.

    Each element keeps its own gradient magnitude between 1e-9 and 10 for the whole run: where it is far below epsilon, near it
    and far above it, a misplaced or uncorrected epsilon gives a different trajectory.
    """
    random = np.random.default_rng(20240607)
    total = int(OFFSETS[-1])
    initial = random.normal(size=total).astype(np.float32).astype(np.float64)
    magnitudes = random.permutation(np.logspace(-9, 1, total))
    gradients = (random.normal(size=(STEPS, total)) * magnitudes).astype(np.float32).astype(np.float64)
    gradients[0, 0] = 0.0  # the first velocity is 0: 0 / (0 + epsilon)
    gradients[5, OFFSETS[1] : OFFSETS[2]] = 0.0  # a whole gradient of norm 0 under clipping
    return split(initial), [split(step) for step in gradients]


INITIAL, GRADIENTS = make_inputs()


def index_of(name):
    return [parameter["name"] for parameter in PARAMETERS].index(name)


def case_gradients(case, gradients):
    """One list of flat arrays (or None) per step: the shared gradients with this case's `missing` and `faults` applied."""
    steps = [[gradient.copy() for gradient in step] for step in gradients[: case["steps"]]]
    for fault in case.get("faults", []):
        steps[fault["step"]][index_of(fault["parameter"])][fault["element"]] = fault["value"]
    for hole in case.get("missing", []):
        steps[hole["step"]][index_of(hole["parameter"])] = None
    return steps


def encode(value):
    """JSON has no NaN and no infinities: they become strings. Everything else is a double with its exact repr."""
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, np.ndarray):
        return encode(value.reshape(-1).tolist())
    if isinstance(value, np.generic):
        return encode(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def decode(value):
    if isinstance(value, dict):
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decode(item) for item in value]
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value


def write(name, header, cases):
    """One line per header entry and per case: compact, and a changed case is one changed line."""

    def dump(value):
        return json.dumps(encode(value), separators=(",", ":"), allow_nan=False)

    names = [case["name"] for case in cases]
    assert len(set(names)) == len(names), f"{name}: duplicate case names"
    head = "".join(f"{dump(key)}:{dump(value)},\n" for key, value in header.items())
    text = "{\n" + head + '"cases":[\n' + ",\n".join(dump(case) for case in cases) + "\n]\n}\n"
    assert len(text) < SIZE_LIMIT, f"{name}.json is {len(text)} bytes: split it"
    (FOLDER / f"{name}.json").write_text(text)
    print(f"{name}.json: {len(cases)} cases, {len(text)} bytes")


def read(name):
    return decode(json.loads((FOLDER / f"{name}.json").read_text()))


def inputs_header():
    return {"parameters": PARAMETERS, "initial": INITIAL, "gradients": GRADIENTS}


def read_inputs(fixture):
    """The inputs as recorded (not as generated here), so a check depends on nothing but the file."""
    initial = [np.array(values) for values in fixture["initial"]]
    return initial, [[np.array(values) for values in step] for step in fixture["gradients"]]


def worst_error(actual, expected):
    """Largest error of a list of arrays relative to each array's largest value; NaN and infinities must agree exactly."""
    worst = 0.0
    for ours, theirs in zip(actual, expected, strict=True):
        ours, theirs = np.asarray(ours, np.float64).reshape(-1), np.asarray(theirs, np.float64).reshape(-1)
        finite = np.isfinite(theirs)
        if not np.array_equal(ours[~finite], theirs[~finite], equal_nan=True) or not np.isfinite(ours[finite]).all():
            return math.inf
        if finite.any():
            scale = np.abs(theirs[finite]).max() or 1.0
            worst = max(worst, float(np.abs(ours[finite] - theirs[finite]).max() / scale))
    return worst


def main(record, check):
    """`script.py` records, `script.py --check` compares what is recorded with an independent computation."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--check", action="store_true", help="compare the recorded file with an independent computation"
    )
    (check if parser.parse_args().check else record)()
