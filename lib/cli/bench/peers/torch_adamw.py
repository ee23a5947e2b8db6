"""Answers torch.ts: {"build": lengths, "device": name} with version and threads, {"run": steps} with seconds."""

import json
import signal
import sys
import time

# Ctrl-C is for the program that asks: it ends this by closing the pipe.
signal.signal(signal.SIGINT, signal.SIG_IGN)

import torch  # noqa: E402


def build(lengths, device):
    parameters = [torch.rand(length, device=device, requires_grad=True) for length in lengths]
    for parameter in parameters:
        parameter.grad = torch.rand_like(parameter) - 0.5
    return torch.optim.AdamW(parameters, lr=1e-3, weight_decay=4e-3, fused=True).step


def run_on_cpu(step, count):
    begin = time.perf_counter()
    for _ in range(count):
        step()
    return time.perf_counter() - begin


def choose_threads(step):
    """The fastest of one thread and all: small tensors lose by more than one, and so do busy machines."""

    def fastest(threads):
        torch.set_num_threads(threads)
        return min(run_on_cpu(step, 1) for _ in range(5))

    torch.set_num_threads(min({1, torch.get_num_threads()}, key=fastest))


def run_on_gpu(step, count):
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(count):
        step()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1000


step = run = None
for line in sys.stdin:
    question = json.loads(line)
    if "run" in question:
        answer = run(step, question["run"])
    elif question["device"] != "cpu" and not torch.cuda.is_available():
        answer = {"absent": f"PyTorch {torch.__version__} has no CUDA device (--python chooses another Python)"}
    else:
        on_cpu = question["device"] == "cpu"
        if not on_cpu:
            torch.cuda.set_device(question["device"])
        step = build(question["build"], question["device"])
        run = run_on_cpu if on_cpu else run_on_gpu
        if on_cpu:
            choose_threads(step)
        answer = {"version": torch.__version__, "threads": torch.get_num_threads()}
    print(json.dumps(answer), flush=True)
