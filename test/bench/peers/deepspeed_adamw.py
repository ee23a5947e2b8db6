"""Contestant deepspeed: DeepSpeed's CPUAdam, which compiles itself when it is first made (it needs ninja and a C++
compiler)."""

import protocol


class DeepSpeed:
    def __init__(self, work, lengths):
        import deepspeed
        import torch
        from deepspeed.ops.adam import DeepSpeedCPUAdam

        if work != "step":
            raise ImportError("DeepSpeed's CPUAdam alone is no pipeline")
        self.torch = torch
        self.name = f"DeepSpeed {deepspeed.__version__} CPUAdam"
        # Copies: numpy's memory is on huge pages, PyTorch's own is not.
        self.parameters = [torch.tensor(array, requires_grad=True) for array in protocol.parameters(lengths)]
        for parameter, array in zip(self.parameters, protocol.gradients(lengths)):
            parameter.grad = torch.tensor(array)
        self.optimizer = DeepSpeedCPUAdam(
            self.parameters,
            lr=protocol.LEARNING_RATE,
            betas=protocol.BETAS,
            eps=protocol.EPSILON,
            weight_decay=protocol.WEIGHT_DECAY,
            adamw_mode=True,
        )

    def run(self, threads, steps):
        self.torch.set_num_threads(threads)
        return protocol.timed(self.optimizer.step, steps)

    def sample(self, row, index):
        return self.parameters[row][index].item()


protocol.serve(DeepSpeed)
