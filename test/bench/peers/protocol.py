"""The lines of ../protocol.ts, the numbers of ../inputs.ts and the hyper-parameters of ../cases.ts."""

import sys
import time

import numpy as np

LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-2
BETAS = (0.9, 0.999)
EPSILON = 1e-3
LOSS_SCALE = 16.0
GLOBAL_CLIPNORM = 1.0
EMA_MOMENTUM = 0.99


def _hashed(seed, length):
    index = np.arange(length, dtype=np.uint32) + np.uint32(seed * 977)
    return ((index * np.uint32(2654435761)) >> np.uint32(8)).astype(np.float32) * np.float32(2**-24) - np.float32(0.5)


def parameters(lengths):
    return [_hashed(2 * row, length) for row, length in enumerate(lengths)]


def gradients(lengths):
    return [_hashed(2 * row + 1, length) * np.float32(2**-6) for row, length in enumerate(lengths)]


def timed(step, steps):
    """Nanoseconds that `steps` calls took."""
    begin = time.perf_counter_ns()
    for _ in range(steps):
        step()
    return time.perf_counter_ns() - begin


def serve(make):
    """Answers until the input ends. make(work, lengths) gives an object with name, run(threads, steps) and
    sample(row, index); ImportError means that the peer is not installed."""
    contestant = None
    for line in sys.stdin:
        command, *words = line.split()
        if command == "build":
            try:
                contestant = make(words[0], [int(word) for word in words[1:]])
                print("ready", contestant.name, flush=True)
            except ImportError as error:
                print("absent", str(error).replace("\n", " "), flush=True)
        elif command == "run":
            print("took", contestant.run(int(words[0]), int(words[1])), flush=True)
        elif command == "sample":
            places = (word.split(":") for word in words)
            print("sample", *(repr(contestant.sample(int(row), int(index))) for row, index in places), flush=True)
