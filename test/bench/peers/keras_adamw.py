"""Contestants keras-torch and keras-jax: the real keras.optimizers.AdamW on the backend named."""

import os
import sys

import protocol

BACKEND = sys.argv[1]
os.environ["KERAS_BACKEND"] = BACKEND


def make_optimizer(keras, work):
    pipeline = dict(
        loss_scale_factor=protocol.LOSS_SCALE,
        global_clipnorm=protocol.GLOBAL_CLIPNORM,
        use_ema=True,
        ema_momentum=protocol.EMA_MOMENTUM,
    )
    return keras.optimizers.AdamW(
        learning_rate=protocol.LEARNING_RATE,
        weight_decay=protocol.WEIGHT_DECAY,
        beta_1=protocol.BETAS[0],
        beta_2=protocol.BETAS[1],
        epsilon=protocol.EPSILON,
        **(pipeline if work == "pipeline" else {}),
    )


class KerasOnTorch:
    """optimizer.apply(), which uses PyTorch's foreach functions, then the gradients zeroed."""

    def __init__(self, work, lengths):
        import keras
        import torch

        self.torch = torch
        self.name = f"Keras {keras.__version__} on PyTorch {torch.__version__}"
        self.variables = [keras.Variable(array) for array in protocol.parameters(lengths)]
        self.gradients = [torch.tensor(array) for array in protocol.gradients(lengths)]
        self.optimizer = make_optimizer(keras, work)
        self.optimizer.build(self.variables)
        self.zeroes = work == "pipeline"

    def step(self):
        self.optimizer.apply(self.gradients, self.variables)
        if self.zeroes:
            self.torch._foreach_zero_(self.gradients)

    def run(self, threads, steps):
        self.torch.set_num_threads(threads)
        with self.torch.no_grad():
            return protocol.timed(self.step, steps)

    def sample(self, row, index):
        return self.variables[row].value[index].item()


class KerasOnJax:
    """optimizer.stateless_apply(), jitted, with the buffers of state and variables donated. Gradients are new arrays
    in every step of a JAX program, so there is nothing to zero: it gets that for free."""

    def __init__(self, work, lengths):
        import jax
        import keras

        self.jax = jax
        self.name = f"Keras {keras.__version__} on JAX {jax.__version__}"
        variables = [keras.Variable(array) for array in protocol.parameters(lengths)]
        optimizer = make_optimizer(keras, work)
        optimizer.build(variables)
        self.apply = jax.jit(optimizer.stateless_apply, donate_argnums=(0, 2))
        # Copies: donated buffers must not be those that Keras' variables hold.
        self.state = [jax.numpy.array(variable.value, copy=True) for variable in optimizer.variables]
        self.values = [jax.numpy.array(variable.value, copy=True) for variable in variables]
        self.gradients = [jax.numpy.asarray(array) for array in protocol.gradients(lengths)]
        for variable in optimizer.variables + variables:
            variable._value = None

    def steps(self, count):
        for _ in range(count):
            self.values, self.state = self.apply(self.state, self.gradients, self.values)
        self.jax.block_until_ready((self.values, self.state))

    def run(self, _threads, steps):
        return protocol.timed(lambda: self.steps(steps), 1)

    def sample(self, row, index):
        return float(self.values[row][index])


protocol.serve({"torch": KerasOnTorch, "jax": KerasOnJax}[BACKEND])
