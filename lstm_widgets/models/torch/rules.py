# PyTorch's tensors and functions have types that say nothing of shapes: Any.
# ruff: noqa: ANN401
r"""The rules by which PyTorch's functions hand relevance back, in the place of their gradients.

Each is one of :mod:`lstm_widgets.rnn.relevance_rules`:

- What is *affine* in the one thing that it gets besides weights (``linear``, products with matrices,
  convolutions, sums and means, averages over time, batch normalization, what is added to) has the epsilon
  rule; so has a sum of several things.
- *Layer normalization* has the LN-rule of Ali et al. 2022 (arXiv:2202.07304, eq. 9): the standard deviation
  is taken for a constant, and what is left is affine.
- In a *product* with numbers that the input has no part in, a mask or a scale, the signal takes all; so it
  does in one with what a sigmoid or softmax made, a gate or the weights of attention, which are taken for
  constants (Ali et al. 2022, eq. 8).
- *Activation functions* hand relevance on as it is.
- What only *moves* values moves relevance about just so, as its gradient does.

Everything else has no rule: relevance that arrives there is an error that names it.

The epsilon rule shares the relevance :math:`R_j` of an output :math:`z_j` out as

.. math::
    x_i \sum_j \frac{\partial z_j}{\partial x_i} \frac{R_j}{z_j + \epsilon\,\mathrm{sign}(z_j)}

So a function is put between two that are open on the way back only: behind it, relevance is divided by what
came out; autograd carries that through the function itself; before it, what arrives is multiplied by what
went in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.torch.cells import as_array, as_tensor
from lstm_widgets.rnn.cells import plain_array

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lstm_widgets.models.torch.passes import Pass
    from lstm_widgets.rnn.relevance_rules import Rule

__all__ = ["MOVES", "OTHERS", "PRODUCTS", "Called", "closed", "ruled"]

OTHERS = "The methods 'sensitivity', 'gradient_x_input', 'integrated_gradients' and 'occlusion' work here"

MOVES = frozenset(
    {
        *(
            "view",
            "view_as",
            "reshape",
            "reshape_as",
            "flatten",
            "unflatten",
            "ravel",
            "contiguous",
        ),
        *(
            "transpose",
            "permute",
            "movedim",
            "moveaxis",
            "swapaxes",
            "swapdims",
            "t",
            "T",
            "mT",
            "H",
        ),
        *(
            "adjoint",
            "squeeze",
            "unsqueeze",
            "expand",
            "expand_as",
            "broadcast_to",
            "repeat",
            "tile",
        ),
        *(
            "repeat_interleave",
            "clone",
            "alias",
            "to",
            "type",
            "type_as",
            "float",
            "double",
            "half",
        ),
        *("bfloat16", "cpu", "cuda", "select", "narrow", "index_select", "gather", "take"),
        *("take_along_dim", "masked_select", "cat", "concat", "concatenate", "stack", "hstack"),
        *("vstack", "dstack", "column_stack", "split", "split_with_sizes", "chunk", "tensor_split"),
        *("unbind", "flip", "fliplr", "flipud", "roll", "rot90", "pad", "pad_sequence", "unfold"),
        *("where", "masked_fill", "masked_scatter", "scatter", "index_copy", "index_fill", "copy"),
        *("__getitem__", "__setitem__", "fill", "zero", "index_put", "slice_scatter"),
        *("select_scatter", "diagonal", "atleast_1d", "atleast_2d", "atleast_3d", "requires_grad"),
        # Of several numbers they choose one.
        *("max", "min", "amax", "amin", "maximum", "minimum", "topk", "sort", "kthvalue", "median"),
        *("max_pool1d", "max_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d"),
        *("_pack_padded_sequence", "_pad_packed_sequence", "broadcast_tensors", "meshgrid"),
        *("max_pool1d_with_indices", "adaptive_max_pool1d_with_indices"),
    }
)
"""Functions that only move values about, or choose some of them."""

_ELEMENTWISE = frozenset(
    {
        *("tanh", "sigmoid", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu"),
        *("mish", "softplus", "softsign", "hardtanh", "hardsigmoid", "hardswish", "tanhshrink"),
        *("logsigmoid", "log_sigmoid", "prelu", "rrelu", "threshold", "softshrink", "hardshrink"),
        *("clamp", "clip", "clamp_min", "clamp_max", "expit"),
    }
)
# Affine in one of their arguments; the others are weights.
_PRODUCTS = frozenset(
    {
        *("linear", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "mv", "einsum", "dot"),
        *("inner", "tensordot", "conv1d", "conv2d"),
    }
)
_MEANS = frozenset(
    {"mean", "sum", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d"}
)
_SCALES = frozenset(
    {"mul", "multiply", "div", "divide", "true_divide", "neg", "negative", "__truediv__", "__mul__"}
)
PRODUCTS = _PRODUCTS | {"mul", "multiply", "__mul__", "__rmul__"}
"""Functions that multiply two things."""
_SUMS = frozenset({"add", "sub", "subtract", "__rsub__", "rsub", "__add__", "__radd__", "__sub__"})


@dataclass(frozen=True)
class Called:
    """One call of a function, while a module runs.

    Attributes
    ----------
    name : str
        What it is called.
    function, arguments, named : callable, tuple, dict
        The call.
    tracked : list of torch.Tensor
        Its arguments that relevance may go back to.
    where : str
        The name of the module that calls it.
    done : Pass
        The pass that it belongs to, by a weak reference.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    named: dict[str, Any]
    tracked: list[Any]
    where: str
    done: Pass

    def __call__(self, others: Sequence[Any] | None = None) -> Any:
        """Call it, maybe with others in the place of `tracked`."""
        if others is None:
            return self.function(*self.arguments, **self.named)
        places = {id(one): other for one, other in zip(self.tracked, others, strict=True)}
        return self.changed(lambda one: places.get(id(one), one))

    def changed(self, change: Callable[[Any], Any]) -> Any:
        """Call it with what is made of each tensor among its arguments."""
        arguments, named = torch.utils._pytree.tree_map_only(  # noqa: SLF001
            torch.Tensor, change, (self.arguments, self.named)
        )
        return self.function(*arguments, **named)


def ruled(call: Called) -> Any:
    """Call a function that is no move, open for relevance."""
    name = call.name
    if name in _ELEMENTWISE and len(call.tracked) == 1:
        return _through(call, _Signal())
    if name in _SCALES and len(call.tracked) == 1 and call.tracked[0] is call.arguments[0]:
        return _through(call, _Signal())
    if name in ("mul", "multiply", "__mul__", "__rmul__") and len(call.tracked) == 1:
        return _through(call, _Signal())
    if name in _PRODUCTS and len(call.tracked) == 1:
        return _through(call, _Affine(call, lambda x: _counting(call, x)))
    if name in ("addmm", "baddbmm", "addmv") and len(call.tracked) == 1:
        return _through(call, _Affine(call, lambda x: _counting(call, x)))
    if name in _MEANS and len(call.tracked) == 1:
        return _through(call, _Affine(call, lambda x: call([x])))
    if name in _SUMS:
        return _added(call)
    if name == "batch_norm" and len(call.tracked) == 1:
        return _through(call, _Affine(call, lambda x: x))
    if name == "layer_norm" and len(call.tracked) == 1:
        return _through(call, _Normalised(call))
    return _refused(call)


def closed(gate: Any, done: Pass, taken: Any) -> Any:
    """Let relevance not go to one of the tensors that a function takes, but gradients as ever."""
    kept = _Closed.apply(done, gate)
    return torch.utils._pytree.tree_map_only(  # noqa: SLF001
        torch.Tensor, lambda one: kept if one is gate else one, taken
    )


class _Closed(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, done: Any, value: Any) -> Any:
        ctx.done = done
        return value.clone()

    @staticmethod
    def backward(ctx: Any, given: Any) -> Any:
        return None, given if ctx.done.rule is None else None


def _added(call: Called) -> Any:
    others = [
        one for one in call.arguments[:2] if not any(one is tracked for tracked in call.tracked)
    ]
    if not others:
        return _through(call, _Total(call))
    (constant,) = others
    nothing = bool((torch.as_tensor(constant) == 0).all())
    if nothing and call.name in ("add", "__add__", "__radd__"):  # as Python's sum begins
        return _through(call, _Signal())
    return _through(call, _Affine(call, lambda x: x))


def _refused(call: Called) -> Any:
    """Call a function that has no rule: what arrives there on the way back is an error."""
    where = f" in {call.where!r}" if call.where else ""
    text = (
        f"model: relevance propagation has no rule for torch's {call.name.strip('_')}{where} "
        f"(of {len(call.tracked)} values that depend on what is explained). {OTHERS}"
    )

    def guarded(value: Any) -> Any:
        return _Guard.apply(call.done, text, value) if value.requires_grad else value

    result, pytree = call(), torch.utils._pytree  # noqa: SLF001
    if not any(isinstance(one, torch.Tensor) for one in pytree.tree_leaves(result)):
        return result  # a shape, say
    return pytree.tree_map_only(torch.Tensor, guarded, result)


class _Guard(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, done: Any, text: str, value: Any) -> Any:
        ctx.set_materialize_grads(False)  # where nothing arrives, nothing is wrong
        ctx.done, ctx.text = done, text
        return value.clone()

    @staticmethod
    def backward(ctx: Any, given: Any) -> Any:
        if ctx.done.rule is not None and given is not None:
            raise UnsupportedLayerError(ctx.text)
        return None, None, given


# Before and behind a function ---------------------------------------------------------------------


class _Between:
    """What a function's way back is, between what is put before and behind it.

    Attributes
    ----------
    given : torch.Tensor
        What has arrived behind it.
    """

    given: Any = None

    def behind(self, relevance: Any, z: Any, rule: Rule) -> Any:
        """Make of the relevance of what came out what goes back through the function."""
        raise NotImplementedError

    def before(self, x: Any, arrived: Any, rule: Rule) -> Any:
        """Make of what has come back through it the relevance of what went in."""
        raise NotImplementedError


class _Signal(_Between):
    """All goes to the signal."""

    def behind(self, relevance: Any, z: Any, rule: Rule) -> Any:
        del z, rule
        self.given = relevance
        return relevance

    def before(self, x: Any, arrived: Any, rule: Rule) -> Any:
        del arrived, rule
        return self.given.sum_to_size(x.shape)


class _Affine(_Between):
    """The epsilon rule.

    ``feeding`` is a linear map with a positive weight, the same for all inputs of an output, where the
    function has any weight, and no others: it tells what goes into what.
    """

    def __init__(self, call: Called, feeding: Callable[[Any], Any]) -> None:
        self._call, self._feeding = call, feeding
        self._share: Any = None
        self._stabiliser: Any = None

    def behind(self, relevance: Any, z: Any, rule: Rule) -> Any:
        self._stabiliser = as_tensor(rule.stabiliser(plain_array(as_array(z))), z)
        self._share = relevance / (z + self._stabiliser)
        return self._share

    def before(self, x: Any, arrived: Any, rule: Rule) -> Any:
        result = x * arrived
        if rule.bias_factor:
            lost = self._share * (self._stabiliser + self.bias(x))
            result = result + rule.bias_factor * self._spread(x, lost)
        return result

    def bias(self, x: Any) -> Any:
        """Tell what comes out of nothing."""
        return self._call([torch.zeros_like(x)])

    def _spread(self, x: Any, lost: Any) -> Any:
        with torch.enable_grad():
            ones = torch.ones_like(x).requires_grad_()
            weights = self._feeding(ones)
            weights = weights.expand_as(lost)
            lost = torch.where(weights != 0, lost / weights.detach(), 0)
            (found,) = torch.autograd.grad(weights, ones, lost)
        return found


class _Normalised(_Affine):
    """The same of layer normalization, its standard deviation held."""

    def __init__(self, call: Called) -> None:
        super().__init__(call, self._mean)
        taken = dict(zip(("input", "shape", "weight", "bias", "eps"), call.arguments, strict=False))
        taken |= call.named
        shape: Any = taken.get("shape", taken.get("normalized_shape"))
        self._axes = list(range(-len(shape), 0))
        self._weight, self._shift = taken.get("weight"), taken.get("bias")
        self._epsilon = taken.get("eps", 1e-5)

    def _mean(self, x: Any) -> Any:
        return x.mean(self._axes, keepdim=True).expand_as(x)

    def _held(self, x: Any, at: Any) -> Any:
        size = torch.rsqrt(at.var(self._axes, keepdim=True, correction=0) + self._epsilon)
        y = (x - self._mean(x)) * size
        y = y if self._weight is None else y * self._weight
        return y if self._shift is None else y + self._shift

    def before(self, x: Any, arrived: Any, rule: Rule) -> Any:
        with torch.enable_grad():
            inside = x.detach().requires_grad_()
            held = self._held(inside, x.detach())
            (arrived,) = torch.autograd.grad(held, inside, self._share)
        return super().before(x, arrived, rule)

    def bias(self, x: Any) -> Any:
        return self._held(torch.zeros_like(x), x)


class _Total(_Affine):
    """The epsilon rule for a sum: each output has as many inputs as all parts have units together."""

    def __init__(self, call: Called) -> None:
        super().__init__(call, lambda x: x)
        self._parts = len(call.tracked)

    def before(self, x: Any, arrived: Any, rule: Rule) -> Any:
        result = x * arrived
        if rule.bias_factor:
            lost = (self._share * self._stabiliser).sum(-1, keepdim=True)
            units = self._share.shape[-1]
            each = (lost * (rule.bias_factor / (self._parts * units))).expand_as(self._share)
            result = result + each.sum_to_size(x.shape)
        return result


def _counting(call: Called, x: Any) -> Any:
    """Call a function with ones in the place of its weights, and without a bias."""
    weights = "weight", "bias"

    def ones(one: Any) -> Any:
        if any(one is tracked for tracked in call.tracked):
            return x
        return torch.ones_like(one) if one.is_floating_point() else one

    if call.name in ("linear", "conv1d", "conv2d"):
        names = ("input", *weights, "stride", "padding", "dilation", "groups")
        taken = dict(zip(names, call.arguments, strict=False)) | call.named
        taken = {**taken, "input": x, "weight": torch.ones_like(taken["weight"]), "bias": None}
        return call.function(taken.pop("input"), taken.pop("weight"), **taken)
    if call.name in ("addmm", "baddbmm", "addmv"):
        first, *others = call.arguments
        return call.function(torch.zeros_like(first), *map(ones, others), **call.named)
    return call.changed(ones)


def _through(call: Called, between: _Between) -> Any:
    inside = [_Before.apply(call.done, between, one) for one in call.tracked]
    return _Behind.apply(call.done, between, call(inside))


class _Before(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, done: Any, between: Any, x: Any) -> Any:
        # Copies, because the module may change its own in place.
        ctx.set_materialize_grads(False)
        ctx.done, ctx.between, ctx.x = done, between, x.detach().clone()
        return ctx.x.clone()

    @staticmethod
    def backward(ctx: Any, arrived: Any) -> Any:
        rule = ctx.done.rule
        if rule is not None and arrived is not None:
            arrived = ctx.between.before(ctx.x, arrived, rule)
        return None, None, arrived


class _Behind(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, done: Any, between: Any, z: Any) -> Any:
        ctx.set_materialize_grads(False)
        ctx.done, ctx.between, ctx.z = done, between, z.detach()
        return z.clone()

    @staticmethod
    def backward(ctx: Any, given: Any) -> Any:
        rule = ctx.done.rule
        if rule is not None and given is not None:
            given = ctx.between.behind(given, ctx.z, rule)
        return None, None, given
