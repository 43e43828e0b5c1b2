# Keras and what it runs on have no types here, so what comes from them is Any.
# ruff: noqa: ANN401, PLC0415
"""What differs between TensorFlow, JAX and PyTorch, on which Keras runs.

All else of this folder says what it wants of tensors by :func:`backend`, or by ``keras.ops``; what traces
scores back to inputs is TensorFlow's own.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

__all__ = ["Backend", "backend"]

# Four times what vector code of today needs.
_ALIGNED = 256


class Backend:
    """What Keras runs on.

    Attributes
    ----------
    name : str
        Its name, which is also that of its package.
    traces_loops : bool
        Whether a layer's own loop is traced and compiled whenever it runs.
    """

    name = ""
    traces_loops = False

    # Arrays and tensors ---------------------------------------------------------------------------

    def array(self, tensor: Any) -> npt.NDArray[Any]:
        """Look at a tensor as an array, which may not be written to."""
        try:
            return np.asarray(memoryview(tensor))
        except (
            TypeError,
            ValueError,
            BufferError,
        ):  # bfloat16, of which Python's buffers know nothing
            return np.asarray(tensor)

    def tensor(self, array: npt.NDArray[Any], dtype: str) -> Any:
        """Make a tensor of an array.

        It may share the array's memory, so nothing may write to it then.
        """
        import keras

        return keras.ops.convert_to_tensor(np.array(array), self.dtype(dtype))

    def taken(self, value: Any) -> Any:
        """Make of a part of the model's inputs what Keras takes; of most it takes arrays."""
        return value

    def loaded(self, inputs: Any) -> tuple[Iterator[Any], int | None] | None:
        """Take one batch after the other out of a loader of the backend's own, and tell how many they are.

        None: it is no loader.
        """
        del inputs
        return None

    def dtype(self, name: str) -> str:
        """Tell in which dtype it computes what Keras says to be of one."""
        return name

    # Running --------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def inference(self, model: Any) -> Iterator[None]:
        """Let products be exact and nothing be noted for gradients, for as long as the context lasts."""
        del model
        yield

    def settle(self, model: Any) -> None:
        """Bring weights that ``fit`` keeps for an epoch back into the model."""

    def randomness_as_found(self) -> contextlib.AbstractContextManager[Any]:
        """Leave what it draws random numbers from, beside Keras's own seeds, as it was found."""
        return contextlib.nullcontext()

    def symbolic(self, tensor: Any) -> bool:
        """Whether a tensor is one of a function that is being traced, so that it has no values yet."""
        del tensor
        return False

    @property
    def untraced(self) -> bool:
        """Whether functions that the model has traced run as Python now."""
        return True

    def untracing(self) -> contextlib.AbstractContextManager[Any]:
        """Let functions that the model has traced run as Python, for as long as the context lasts."""
        return contextlib.nullcontext()

    def eagerly(self) -> contextlib.AbstractContextManager[Any]:
        """Read values even where a function is being traced, for as long as the context lasts."""
        return contextlib.nullcontext()

    def compiled(
        self, function: Callable[..., Any], arguments: Sequence[Any], layer: Any
    ) -> Callable[..., Any]:
        """Compile a function of tensors like the arguments; of variables it uses those of a layer."""
        del arguments, layer
        return function

    def called(self, function: Callable[[Any], Any], batch: Any) -> Any:
        """Call a function of a structure of arrays, compiled where it is quicker to do so."""
        return function(batch)

    # Layers ---------------------------------------------------------------------------------------

    def foreign(self, layer: Any) -> list[str]:
        """Name what is recurrent in a layer that wraps a module of the backend's own, but for Keras's."""
        del layer
        return []

    def wrapped(self, layer: Any) -> list[Any]:
        """List the layers of Keras in a layer that wraps a module of the backend's own."""
        del layer
        return []


class TensorFlow(Backend):
    """TensorFlow, with graphs beside what runs at once."""

    name = "tensorflow"

    def tensor(self, array: npt.NDArray[Any], dtype: str) -> Any:
        """Make a tensor of an array.

        TensorFlow ends the process when it is handed memory that isn't aligned for its vector code: an
        array that might not be is copied.
        """
        import tensorflow as tf

        if array.dtype.name != dtype:
            return tf.cast(array, dtype)
        handed = array.dtype.kind == "f" and array.flags.c_contiguous and array.flags.writeable
        if handed and array.size and array.ctypes.data % _ALIGNED == 0:
            return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
        return tf.constant(array)

    def taken(self, value: Any) -> Any:
        """Make of an array of strings what Keras takes."""
        import tensorflow as tf

        strings = isinstance(value, np.ndarray) and value.dtype.kind in "OSU"
        return tf.constant(value, tf.string) if strings else value

    @contextlib.contextmanager
    def inference(self, model: Any) -> Iterator[None]:
        """Let products be exact: on a GPU, TensorFlow rounds what it multiplies to 10 bits (TF32)."""
        import tensorflow as tf

        del model
        before = tf.config.experimental.tensor_float_32_execution_enabled()
        tf.config.experimental.enable_tensor_float_32_execution(False)
        try:
            yield
        finally:
            tf.config.experimental.enable_tensor_float_32_execution(before)

    def symbolic(self, tensor: Any) -> bool:
        """Whether a ``tf.function`` is being traced."""
        import tensorflow as tf

        del tensor
        return not tf.executing_eagerly()

    @property
    def untraced(self) -> bool:
        """Whether each ``tf.function`` runs as Python now."""
        import tensorflow as tf

        return bool(tf.config.functions_run_eagerly())

    @contextlib.contextmanager
    def untracing(self) -> Iterator[None]:
        """Let each ``tf.function`` run as Python, for as long as the context lasts."""
        import tensorflow as tf

        tf.config.run_functions_eagerly(True)
        try:
            yield
        finally:
            tf.config.run_functions_eagerly(False)

    def eagerly(self) -> contextlib.AbstractContextManager[Any]:
        """Read values even where a ``tf.function`` is being traced."""
        import tensorflow as tf

        manager: contextlib.AbstractContextManager[Any] = tf.init_scope()
        return manager

    def compiled(
        self, function: Callable[..., Any], arguments: Sequence[Any], layer: Any
    ) -> Callable[..., Any]:
        """Trace a function; called as a concrete one, it doesn't warn that each is another."""
        import tensorflow as tf

        del layer
        traced = tf.function(function, autograph=False).get_concrete_function(*arguments)
        concrete: Callable[..., Any] = traced
        return concrete

    def called(self, function: Callable[[Any], Any], batch: Any) -> Any:
        """Call a function of a structure of arrays as a graph."""
        import keras
        import tensorflow as tf

        batch = keras.tree.map_structure(lambda x: tf.convert_to_tensor(self.taken(x)), batch)
        return self.compiled(function, [batch], None)(*keras.tree.flatten(batch))


class Jax(Backend):
    """JAX, where all that isn't in a ``jax.jit`` has values, and loops are traced."""

    name = "jax"
    traces_loops = True

    def dtype(self, name: str) -> str:
        """Tell in which dtype it computes: not in double precision, unless it was told to."""
        import jax

        return str(jax.dtypes.canonicalize_dtype(name))

    @contextlib.contextmanager
    def inference(self, model: Any) -> Iterator[None]:
        """Let products be exact: on a GPU, JAX rounds what it multiplies (TF32)."""
        import jax

        del model
        with jax.default_matmul_precision("highest"):
            yield

    def symbolic(self, tensor: Any) -> bool:
        """Whether a tensor is one of a ``jax.jit``, ``jax.vmap`` or the like."""
        import jax

        return isinstance(tensor, jax.core.Tracer)

    @property
    def untraced(self) -> bool:
        """Whether what is in a ``jax.jit`` runs as Python now."""
        import jax

        return bool(jax.config.jax_disable_jit)

    def untracing(self) -> contextlib.AbstractContextManager[Any]:
        """Let what is in a ``jax.jit`` run as Python."""
        import jax

        manager: contextlib.AbstractContextManager[Any] = jax.disable_jit()
        return manager

    def settle(self, model: Any) -> None:
        """Bring weights that ``fit`` keeps for an epoch back into the model."""
        model.jax_state_sync()

    def compiled(
        self, function: Callable[..., Any], arguments: Sequence[Any], layer: Any
    ) -> Callable[..., Any]:
        """Compile a function that takes the layer's variables as they are when it is called."""
        import jax
        import keras

        del arguments
        variables = layer.variables

        def run(values: Sequence[Any], *given: Any) -> Any:
            mapping = list(zip(variables, values, strict=True))
            with keras.StatelessScope(state_mapping=mapping):
                return function(*given)

        jitted = jax.jit(run)
        return lambda *given: jitted([variable.value for variable in variables], *given)


class Torch(Backend):
    """PyTorch, which runs at once, and whose modules Keras's layers are."""

    name = "torch"

    def array(self, tensor: Any) -> npt.NDArray[Any]:
        """Look at a tensor as an array, which may not be written to."""
        from lstm_widgets.models.torch.cells import as_array

        return as_array(tensor)

    def loaded(self, inputs: Any) -> tuple[Iterator[Any], int | None] | None:
        """Take one batch after the other out of a DataLoader, and tell how many; None: it is none."""
        from torch.utils.data import DataLoader

        from lstm_widgets.models.torch.gather import count_of, warn_of_order

        if not isinstance(inputs, DataLoader):
            return None
        warn_of_order(inputs)
        found = (tuple(batch) if isinstance(batch, list) else batch for batch in inputs)
        return found, count_of(inputs)

    @contextlib.contextmanager
    def inference(self, model: Any) -> Iterator[None]:
        """Run without gradients and with exact products, and leave modules in the mode found."""
        import torch

        from lstm_widgets.models.torch.run import exact_products

        modes = [(module, module.training) for module in model.modules()]
        try:
            with torch.no_grad(), torch.compiler.set_stance("force_eager"), exact_products(model):
                yield
        finally:
            for module, training in modes:
                module.training = training

    def randomness_as_found(self) -> contextlib.AbstractContextManager[Any]:
        """Leave PyTorch's random numbers as they were found."""
        import torch

        fork: contextlib.AbstractContextManager[Any] = torch.random.fork_rng(
            range(torch.cuda.device_count())
        )
        return fork

    def foreign(self, layer: Any) -> list[str]:
        """Name what is recurrent in a module of PyTorch that Keras wraps, but for Keras's own."""
        import keras

        from lstm_widgets.models.torch.layers import find_layers

        if not isinstance(layer, keras.layers.TorchModuleWrapper):
            return []
        own = {id(part) for inside in self.wrapped(layer) for part in inside.modules()}
        return [one.name for one in find_layers(layer.module) if id(one.module) not in own]

    def wrapped(self, layer: Any) -> list[Any]:
        """List the layers of Keras in a module of PyTorch that Keras wraps."""
        import keras

        if not isinstance(layer, keras.layers.TorchModuleWrapper):
            return []
        return [part for part in layer.module.modules() if isinstance(part, keras.Layer)]


_BACKENDS: dict[str, type[Backend]] = {one.name: one for one in (TensorFlow, Jax, Torch)}


def backend() -> Backend:
    """Give what Keras runs on.

    Raises
    ------
    RuntimeError
        If that is another one.
    """
    import keras

    name = str(keras.backend.backend())
    if name not in _BACKENDS:
        raise RuntimeError(
            f"model: expected Keras to run on {', '.join(list(_BACKENDS)[:-1])} or "
            f"{list(_BACKENDS)[-1]}, got the backend {name!r} (set KERAS_BACKEND, for example "
            f"KERAS_BACKEND=tensorflow, before importing keras)"
        )
    return _made(name)


@functools.cache
def _made(name: str) -> Backend:
    return _BACKENDS[name]()
