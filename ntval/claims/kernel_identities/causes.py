"""The causes that diagnoses name, each with its words: diagnosing code says them by calling one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_FIELD = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True)
class Cause:
    """What may be wrong.

    `name`: in a word or two. `words`: the sentence that names it, with fields to fill in.
    """

    name: str
    words: str

    def __call__(self, **fields: object) -> str:
        return self.words.format(**fields)

    @property
    def mark(self) -> str:
        """The part of the words by which they are known: the longest without a field."""
        return max(_FIELD.split(self.words), key=len)


# Of a kernel against another. `name` is what the kernel is called.
NOT_FINITE = Cause("not finite", "{name} is not finite")
SAME_WEIGHTS = Cause("same weights", "every key gives the same weights: init ignores its key")
SCALE = Cause("scale", "{name} is {factor} throughout: a wrong scale")
OUTPUTS = Cause(
    "sum over outputs",
    "{name} is {factor} throughout: the sum over {outputs} outputs in place of their mean",
)
WEIGHTS = Cause(
    "weights' size",
    "{name} is that of weights {too} in every layer: a wrong scale of the weights (W_std)",
)
INPUTS = Cause(
    "inputs' size", "{name} is that of inputs {factor}: a wrong scale of the inputs alone"
)
PARAMETRIZATION = Cause(
    "parametrization",
    "{name} is {factor}, its layers weighted by their fan-in: another parametrization (standard "
    "against NTK)",
)
NNGP = Cause(
    "NNGP",
    "{name} is the covariance of the outputs: the NNGP kernel in place of the NTK",
)
GET = Cause(
    "get",
    "{name} is the NTK of the network: kernel_fn ignores get; let it raise where it has no NNGP "
    "kernel",
)
OFF_DIAGONAL = Cause("off the diagonal", "{name} is {factor} away from the diagonal")
DIAGONAL = Cause("diagonal", "{name} is {factor} on the diagonal, and right elsewhere{how}")
CONSTANT = Cause(
    "constant", "{name} is off by a constant, {constant}, as by a missing bias of the head"
)
NO_BIAS = Cause("missing bias", "{name} is that of a network without biases: a missing bias")
BIAS_SIZE = Cause(
    "biases' size", "{name} is that of biases {factor}: a wrong size of the biases (b_std)"
)
ENTRY = Cause("entry", "entry [{i}, {j}] of {name} is {factor}, and no other")
ROWS = Cause("rows", "rows {rows} of {name} are off, the others are not")
A_DRAW = Cause(
    "a draw",
    "{name} is {relative} away, by no single cause, as far as {draws} of a finite network may be; "
    "to hold draws against their limit pass many, of shape (draws, n, n), at independent weights",
)
OF_KERNELS = (
    *(
        NOT_FINITE,
        SAME_WEIGHTS,
        SCALE,
        OUTPUTS,
        WEIGHTS,
        INPUTS,
        PARAMETRIZATION,
        NNGP,
        GET,
        OFF_DIAGONAL,
    ),
    *(DIAGONAL, CONSTANT, NO_BIAS, BIAS_SIZE, ENTRY, ROWS, A_DRAW),
)

# Of one method among several that compute one kernel.
FLOAT32 = Cause("float32", "{name} is right to the 7 digits of float32, and no further")
BFLOAT16 = Cause("bfloat16", "{name} is right to the 2 or 3 digits of bfloat16, and no further")
TRANSPOSED = Cause("transposed", "{name} is the transpose of what it should be")
BLOCKS = Cause("blocks", "{name} is right at x1 and at x2 alone: it is off where x2 is given")
LAST_ROWS = Cause("last rows", "{name} is off in its last rows, {rows}: the last tile or batch")
OF_METHODS = (FLOAT32, BFLOAT16, TRANSPOSED, BLOCKS, LAST_ROWS)

# Of outputs that depend on the rest of the batch.
NOISE = Cause("noise", "outputs differ from call to call: dropout, or other noise, left on")
FIXED_NOISE = Cause(
    "noise of a fixed key",
    "outputs depend on the place in the batch, not on the other inputs: dropout left on with a "
    "fixed key",
)
EXCHANGED = Cause(
    "rows exchanged",
    "outputs are right, but of other inputs than they stand for: rows mixed up",
)
ALONG_BATCH = Cause(
    "along the batch",
    "outputs depend on the place in the batch and on the other inputs: an operation along the "
    "batch axis, such as a sort, or a difference to the first row",
)
BATCH_STATISTICS = Cause(
    "batch statistics",
    "outputs depend on the other inputs' values: BatchNorm in training mode, or the like",
)
OF_BATCHES = (NOISE, FIXED_NOISE, EXCHANGED, ALONG_BATCH, BATCH_STATISTICS)

# Of derivatives against differences of values.
RULE = Cause(
    "custom rule",
    "a custom derivative rule is not that of its values: without it, automatic "
    "differentiation agrees with differences",
)
STOPPED = Cause(
    "stop_gradient",
    "the gradient is stopped on the way: without stop_gradient, automatic differentiation "
    "agrees with differences",
)
ROUNDED = Cause(
    "rounding",
    "values are rounded on the way (round, floor, a cast to integers): without that, automatic "
    "differentiation agrees with differences",
)
NOT_A_NUMBER = Cause(
    "not a number",
    "the derivative is not a number where the values are: a root, norm or division at 0, behind "
    "jnp.where as it may be",
)
OF_DERIVATIVES = (RULE, STOPPED, ROUNDED, NOT_A_NUMBER)

# Of kernels at growing width.
TIED = Cause(
    "tied neurons",
    "{share} of the neurons of {leaf} have the same weights, at every width: weights are shared",
)
FIXED_WIDTH = Cause(
    "fixed width", "a layer has width {size} at every width ({leaf}): init ignores its width there"
)
RANDOM_SCALE = Cause(
    "random scale",
    "the size of the weights {leaf} differs by {spread} from key to key, at every width: their "
    "scale is random",
)
STANDARD = Cause(
    "standard parametrization",
    "K grows like the width (slope {slope}), each layer like its fan-in: the standard "
    "parametrization; in the NTK parametrization a layer is divided by the root of its fan-in, "
    "its weights are N(0, 1)",
)
POWER = Cause(
    "wrong power",
    "K(x, x) goes like width^({slope}): a layer is scaled by a wrong power of its width",
)
OF_WIDTHS = (TIED, FIXED_WIDTH, RANDOM_SCALE, STANDARD, POWER)

CAUSES = (*OF_KERNELS, *OF_METHODS, *OF_BATCHES, *OF_DERIVATIVES, *OF_WIDTHS)


def named(words: str) -> tuple[Cause, ...]:
    """The causes that a diagnosis names; several where it leaves open which."""
    return tuple(cause for cause in CAUSES if cause.mark in words)


_MOST = 3  # causes between which a reader may still want to choose


def one_of(found: Sequence[str], otherwise: str) -> str:
    """The words of the one cause that was found; of several, that they are not told apart; else
    what is said otherwise."""
    if not 1 <= len(found) <= _MOST:
        return otherwise
    return found[0] if len(found) == 1 else f"not told apart: {'; or '.join(found)}"
