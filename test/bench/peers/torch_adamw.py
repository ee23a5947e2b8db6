"""Contestants torch-fused and torch-foreach; a pipeline is composed of PyTorch's own fastest parts."""

import sys

import protocol


class Torch:
    def __init__(self, work, lengths):
        import torch

        self.torch = torch
        implementation = sys.argv[1]
        self.name = f"PyTorch {torch.__version__} {implementation}"
        # Copies: numpy's memory is on huge pages, PyTorch's own is not.
        self.parameters = [torch.tensor(array, requires_grad=True) for array in protocol.parameters(lengths)]
        self.gradients = [torch.tensor(array) for array in protocol.gradients(lengths)]
        for parameter, gradient in zip(self.parameters, self.gradients):
            parameter.grad = gradient
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=protocol.LEARNING_RATE,
            betas=protocol.BETAS,
            eps=protocol.EPSILON,
            weight_decay=protocol.WEIGHT_DECAY,
            **{implementation: True},
        )
        self.step = self.optimizer.step
        if work == "pipeline":
            self.averages = [parameter.detach().clone() for parameter in self.parameters]
            self.step = self.pipeline

    def pipeline(self):
        torch = self.torch
        with torch.no_grad():
            torch._foreach_mul_(self.gradients, 1 / protocol.LOSS_SCALE)
            torch.nn.utils.clip_grad_norm_(self.parameters, protocol.GLOBAL_CLIPNORM, foreach=True)
            self.optimizer.step()
            torch._foreach_lerp_(self.averages, self.parameters, 1 - protocol.EMA_MOMENTUM)
            torch._foreach_zero_(self.gradients)

    def run(self, threads, steps):
        self.torch.set_num_threads(threads)
        return protocol.timed(self.step, steps)

    def sample(self, row, index):
        return self.parameters[row][index].item()


protocol.serve(Torch)
