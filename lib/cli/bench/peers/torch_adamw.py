"""Answers torch.ts: {"build": lengths} with version and threads, {"run": steps} with seconds."""

import json
import signal
import sys
import time

# Ctrl-C is for the program that asks: it ends this by closing the pipe.
signal.signal(signal.SIGINT, signal.SIG_IGN)

import torch  # noqa: E402


def build(lengths):
    parameters = [torch.rand(length, requires_grad=True) for length in lengths]
    for parameter in parameters:
        parameter.grad = torch.rand_like(parameter) - 0.5
    return torch.optim.AdamW(parameters, lr=1e-3, weight_decay=4e-3, fused=True).step


step = None
for line in sys.stdin:
    question = json.loads(line)
    if "build" in question:
        step = build(question["build"])
        answer = {"version": torch.__version__, "threads": torch.get_num_threads()}
    else:
        begin = time.perf_counter()
        for _ in range(question["run"]):
            step()
        answer = time.perf_counter() - begin
    print(json.dumps(answer), flush=True)
