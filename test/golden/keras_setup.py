"""How Keras is loaded, so that float64 means float64."""

import importlib
import os


def load(backend):
    """Keras with the given backend; one backend per process, as Keras allows."""
    assert os.environ.setdefault("KERAS_BACKEND", backend) == backend, "KERAS_BACKEND is set to another backend"
    return importlib.import_module("keras")


def set_floatx(keras, floatx):
    """Sets floatx, and lets float64 stay float64.

    `set_floatx("float64")` alone gives float64 variables and learning rates, but on every backend except TensorFlow each
    operation still rounds its result to float32: a promotion table (keras/src/backend/common/dtypes.py) maps float64 to
    float32. The entry set here is the one that table has under TensorFlow.
    """
    dtypes = importlib.import_module("keras.src.backend.common.dtypes")
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = floatx
    keras.config.set_floatx(floatx)
    assert keras.ops.multiply(keras.ops.ones(1), 0.1).dtype == floatx
