# PyTorch's tensors and functions have types that say nothing of shapes: Any.
# ruff: noqa: ANN401
"""What looks on while a PyTorch module runs: at each function that it calls.

It shows where ids become vectors, finds the last activation, keeps what is decided by looking at values, and
gives each function its rule.
"""

from __future__ import annotations

import contextlib
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.modules import module as torch_module
from torch.overrides import TorchFunctionMode

from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.torch.cells import as_array
from lstm_widgets.models.torch.rules import MOVES, OTHERS, PRODUCTS, Called, closed, ruled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import nn

    from lstm_widgets.models.torch.passes import Pass

    Embed = Callable[[str, int, Any, Any, Any], Any]
    Shown = Callable[[str, Any, Any, bool], Any]

__all__ = ["Watch"]

_DROPOUTS = frozenset(
    {
        *("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout"),
        *("feature_alpha_dropout",),
    }
)
# Last activations, and what they are called; every other elementwise one is "other".
_LAST = {
    "softmax": "softmax",
    "log_softmax": "log_softmax",
    "sigmoid": "sigmoid",
    "expit": "sigmoid",
    **dict.fromkeys(("tanh", "relu", "softplus", "exp", "logsigmoid", "softmin", "elu"), "other"),
    **dict.fromkeys(("relu6", "leaky_relu", "gelu", "silu", "hardtanh", "hardsigmoid"), "other"),
}
# What autograd may add by itself, or we have added: it moves values.
_MOVES_OUT_OF_SIGHT = frozenset(
    {
        *("View", "Alias", "AsStrided", "CopySlices", "Copy", "Slice", "Select", "Transpose", "T"),
        *("Permute", "Unsqueeze", "Squeeze", "Expand", "Clone", "ToCopy", "IndexSelect", "Index"),
        *(
            "AccumulateGrad",
            "PackPaddedSequence",
            "_Tied",
            "_Before",
            "_Behind",
            "_Guard",
            "_Closed",
        ),
    }
)
# Activations that make gates, of which relevance takes nothing.
_GATES = ("softmax", "sigmoid", "gate")
# What of gates alone, and numbers, makes another gate.
_OF_GATES = ("__rsub__", "rsub", "sub", "mul", "div", "neg")


@dataclass(frozen=True)
class _Activated:
    """What an activation made, and of what: kept, so that its ``id`` is its own."""

    tensor: Any
    logits: Any
    kind: str


class Watch(TorchFunctionMode):  # type: ignore[misc]
    """Looks on while a module runs.

    Parameters
    ----------
    model : torch.nn.Module
        The module.
    done : Pass
        The pass that it is for, by a weak reference.
    embed : callable
        Is given the name of an Embedding, the number of its call, the ids, its output and its weights, and
        returns what is to go on.
    shown : callable
        Is given the name of a module, the module, what it gets first or returns, and whether it gets it, and
        returns what is to go on.
    kept : mapping of str to array
        What is not to be decided anew, by its name in :attr:`Pass.kept`.
    rows_along : callable
        Tells along which axis of a tensor the rows are; None: along none.
    """

    def __init__(
        self,
        model: nn.Module,
        done: Pass,
        *,
        embed: Embed,
        shown: Shown,
        kept: Mapping[str, Any],
        rows_along: Callable[[Any], int | None],
    ) -> None:
        super().__init__()
        self._names = {id(module): name for name, module in model.named_modules()}
        self._done, self._embed, self._shown, self._kept = done, embed, shown, kept
        self._rows_along = rows_along
        self._under_way: list[Any] = []  # modules whose forward runs
        self._activated: dict[int, _Activated] = {}
        self._decisions = 0
        self._nodes: set[Any] = set()  # autograd's, of functions that were seen
        self._thread = threading.get_ident()

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Look on, for as long as the context lasts."""

        def begins(module: Any, given: tuple[Any, ...]) -> Any:
            if threading.get_ident() != self._thread:
                return None
            self._under_way.append(module)
            if not given:
                return None
            with torch._C.DisableTorchFunction():  # noqa: SLF001
                return (self._shown(self.where, module, given[0], True), *given[1:])

        def ends(module: Any, _: Any, returned: Any) -> Any:
            if threading.get_ident() != self._thread or self._under_way[-1:] != [module]:
                return None
            where = self.where
            self._under_way.pop()
            with torch._C.DisableTorchFunction():  # noqa: SLF001
                return self._shown(where, module, returned, False)

        hooks = [
            torch_module.register_module_forward_pre_hook(begins),
            torch_module.register_module_forward_hook(ends, always_call=True),
        ]
        try:
            with self:
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def forget(self) -> None:
        """Let go of all that was seen."""
        self._activated, self._nodes = {}, set()

    def logits_of(self, tensor: Any) -> tuple[Any, str]:
        """Tell what a tensor was before the last activation, and which that is."""
        found = self._activated.get(id(tensor))
        if found is None or found.kind == "gate":
            return tensor, "linear"
        if found.kind == "hidden":
            raise UnsupportedLayerError(
                "model: its output is what an activation made, written into another tensor, so that its "
                "logits are out of reach; put the outputs together by torch.stack or torch.cat, or explain "
                "a cell (layer=, cell=)"
            )
        return found.logits, found.kind

    def expect_seen(self, tensor: Any) -> None:
        """Refuse what was computed out of sight: it would hand on gradients in the place of relevance."""
        waiting, known = [tensor.grad_fn], set()
        while waiting:
            node = waiting.pop()
            if node is None or node in known:
                continue
            known.add(node)
            name = re.sub(r"Backwards?\d*$", "", node.name().rpartition("::")[2])
            if node not in self._nodes and name not in _MOVES_OUT_OF_SIGHT:
                raise UnsupportedLayerError(
                    f"model: relevance propagation has no rule for {name!r}, which the model computes by "
                    f"compiled code or a torch.autograd.Function of its own. {OTHERS}"
                )
            waiting += [following for following, _ in node.next_functions]

    @property
    def where(self) -> str:
        """The name of the module that runs."""
        return next((self._names.get(id(m), "") for m in reversed(self._under_way)), "")

    # Each function --------------------------------------------------------------------------------

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Look at a function that is called."""
        del types
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "__get__":  # of an attribute
            name = func.__self__.__name__
        if name == "_set_grad_enabled":
            return None  # what is explained doesn't depend on what was meant to be trained
        if name in ("detach", "detach_", "data"):
            return args[0].view_as(args[0]) if name != "detach_" else args[0]
        if name == "embedding":
            return self._embedded(func, args, kwargs)
        if name in _DROPOUTS and not _training(args, kwargs):
            return kwargs["input"] if "input" in kwargs else args[0]
        tracked = [
            one
            for one in torch.utils._pytree.tree_leaves((args, kwargs))  # noqa: SLF001
            if isinstance(one, torch.Tensor) and one.requires_grad
        ]
        if not tracked or name == "requires_grad":
            return func(*args, **kwargs)
        before = {one.grad_fn for one in tracked}
        result = self._called(name, func, args, kwargs, tracked)
        if self._done.relevance:
            self._see((result, args[:1]), before)
        if isinstance(result, torch.Tensor) and result.dtype == torch.bool:
            return self._decided(result)
        self._note(name, func, args, kwargs, result)
        return result

    def _see(self, made: Any, before: set[Any]) -> None:
        """Take down what autograd has got by a function, behind what it had before."""
        waiting = [
            one.grad_fn
            for one in torch.utils._pytree.tree_leaves(made)  # noqa: SLF001
            if isinstance(one, torch.Tensor) and one.requires_grad
        ]
        while waiting:
            node = waiting.pop()
            if node is not None and node not in before and node not in self._nodes:
                self._nodes.add(node)
                waiting += [following for following, _ in node.next_functions]

    def _called(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        tracked: list[Any],
    ) -> Any:
        if name in ("numpy", "__array__"):
            raise UnsupportedLayerError(
                f"model: {self.where or 'its forward'} makes NumPy of what it computes, beyond which nothing "
                "can be traced back"
            )
        in_place = name.endswith("_") and not name.endswith("__")
        plain = name.removesuffix("_") if in_place else name
        if not self._done.relevance or plain in MOVES:
            return func(*args, **kwargs)
        done = self._done
        gates = [self._activated.get(id(one)) for one in tracked]
        if len(tracked) == 2 and sum(g is not None and g.kind in _GATES for g in gates) == 1:
            # In a product with a gate the signal takes all.
            (gate,) = (one for one, g in zip(tracked, gates, strict=True) if g and g.kind in _GATES)
            if plain in PRODUCTS:
                tracked = [one for one in tracked if one is not gate]
                args, kwargs = closed(gate, done, (args, kwargs))
        if not in_place and not kwargs.get("inplace"):
            return ruled(Called(plain, func, args, kwargs, tracked, self.where, done))
        out = getattr(torch.Tensor, plain, None) if in_place else func
        kwargs = {**kwargs, "inplace": False} if kwargs.get("inplace") else kwargs
        if out is None:
            out = getattr(torch, plain)
        return args[0].copy_(ruled(Called(plain, out, args, kwargs, tracked, self.where, done)))

    def _embedded(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        ids, weight = (*args, *(kwargs[k] for k in ("input", "weight") if k in kwargs))[:2]
        made = func(*args, **kwargs)
        embeddings = (torch.nn.Embedding,)
        here = self._under_way[-1:]
        name = self.where if here and isinstance(here[0], embeddings) else "embedding"
        name = name or "embedding"
        self._done.calls[name] = number = self._done.calls.get(name, 0) + 1
        return self._embed(name, number, ids, made, weight)

    def _decided(self, result: Any) -> Any:
        """Keep what was decided, or let it be what it was."""
        self._decisions += 1
        name = f"decision:{self._decisions}"
        axis = self._rows_along(result)
        if axis is None:
            return result
        if name in self._kept:
            return torch.from_numpy(self._kept[name]).to(result.device).movedim(0, axis)
        self._done.kept[name] = as_array(result.movedim(axis, 0)).copy()
        return result

    def _note(
        self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> None:
        """Keep in mind what the last activation may be, and what it was made of."""
        if name == "__setitem__":
            if any(id(one) in self._activated for one in args[2:]):
                self._activated[id(args[0])] = _Activated(args[0], None, "hidden")
            return
        if not isinstance(result, torch.Tensor):
            return
        if name.rstrip("_") in _LAST:
            given = kwargs["input"] if "input" in kwargs else args[0]
            self._activated[id(result)] = _Activated(result, given, _LAST[name.rstrip("_")])
            return
        given = [
            one
            for one in torch.utils._pytree.tree_leaves((args, kwargs))  # noqa: SLF001
            if isinstance(one, torch.Tensor) and one.requires_grad
        ]
        found = [self._activated.get(id(one)) for one in given]
        if not found or None in found:
            return
        kinds = {one.kind for one in found if one is not None}
        if name in _OF_GATES and kinds <= set(_GATES):
            self._activated[id(result)] = _Activated(result, result, "gate")
            return
        logarithm = name in ("log", "log_") and kinds == {"softmax"}
        if (name in MOVES and len(kinds) == 1) or logarithm:
            places = {id(one.tensor): one.logits for one in found if one is not None}
            moved = found[0].logits  # type: ignore[union-attr]
            if not logarithm and kinds != {"hidden"}:
                args, kwargs = torch.utils._pytree.tree_map_only(  # noqa: SLF001
                    torch.Tensor, lambda one: places.get(id(one), one), (args, kwargs)
                )
                moved = func(*args, **kwargs)
                if self._done.relevance:
                    self._see(moved, {one.grad_fn for one in places.values()})
            kind = "log_softmax" if logarithm else kinds.pop()
            self._activated[id(result)] = _Activated(result, moved, kind)


def _training(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    training = kwargs.get("training", kwargs.get("train", args[2] if len(args) > 2 else True))
    return bool(training)
