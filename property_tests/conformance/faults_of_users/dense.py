"""Faults of fully connected networks of stax, and of their twins."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from conformance.faults_of_users.common import (
    LONG,
    NEAR,
    RELU,
    TWO,
    Stale,
    UserFault,
    X,
    alone,
    altered,
    batch_norm,
    branch,
    by_hand,
    cosines,
    distances,
    dropout,
    fan_out,
    forward,
    from_row,
    frozen,
    leaky,
    mlp,
    of_leaves,
    off_diagonal,
    one_sided,
    rounded,
    steep_relu,
    tied,
    twin,
    uniform,
    weights,
)

from ntval import stax

TWINS = {
    "a W_std 2 % too large": UserFault(
        "W_std 1.428 in both layers of the twin, K 8 %", twin(RELU, mlp(512, weight=1.428))
    ),
    "a W_std 5 % too large": UserFault("W_std 1.47", twin(RELU, mlp(512, weight=1.47))),
    "a W_std 10 % too small": UserFault("W_std 1.26", twin(RELU, mlp(512, weight=1.26))),
    "a W_std 40 % too large, two layers": UserFault(
        "W_std 1.96 in three layers", twin(TWO, mlp(128, 128, weight=1.96))
    ),
    "a W_std 5 % too large, two layers": UserFault(
        "W_std 1.47 in three layers", twin(TWO, mlp(128, 128, weight=1.47))
    ),
    "a b_std 20 % too large": UserFault(
        "b_std 0.48", twin(RELU, mlp(512, bias=0.48, head_bias=0.48))
    ),
    "a b_std 40 % too large": UserFault(
        "b_std 0.56", twin(RELU, mlp(512, bias=0.56, head_bias=0.56))
    ),
    "no bias in the twin": UserFault("b_std None", twin(RELU, mlp(512, bias=None, head_bias=None))),
    "a bias in the twin alone": UserFault(
        "the network has none", twin(mlp(512, bias=None, head_bias=None), RELU)
    ),
    "no bias of the head": UserFault("of the twin", twin(RELU, mlp(512, head_bias=None))),
    "relu for leaky relu of 0.01": UserFault(
        "the twin's activation", twin(mlp(512, act=leaky(0.01)), RELU)
    ),
    "leaky relu of 0.1 for 0.01": UserFault(
        "the twin's slope", twin(mlp(512, act=leaky(0.01)), mlp(512, act=leaky(0.1)))
    ),
    "leaky relu of 0.2 for 0.1": UserFault(
        "the twin's slope", twin(mlp(512, act=leaky(0.1)), mlp(512, act=leaky(0.2)))
    ),
    "gelu for gelu by tanh": UserFault(
        "the twin is of the exact one",
        twin(mlp(512, act=lambda: stax.Gelu(approximate=True)), mlp(512, act=stax.Gelu)),
    ),
    "gelu for relu": UserFault("the twin's activation", twin(RELU, mlp(512, act=stax.Gelu))),
    "erf for tanh": UserFault(
        "the twin's activation", twin(by_hand(jnp.tanh), mlp(512, act=stax.Erf))
    ),
    "a layer missing": UserFault("in the twin", twin(TWO, RELU)),
    "a layer too many": UserFault("in the twin", twin(RELU, TWO)),
    "activation missing behind the last layer": UserFault(
        "the twin ends on ReLU", twin(RELU, stax.serial(RELU, stax.Relu()))
    ),
    "nngp for ntk": UserFault(
        "the twin ignores get", twin(RELU, lambda x1, x2=None, get="ntk": RELU[2](x1, x2, "nngp"))
    ),
    "sum over outputs": UserFault(
        "the twin is that of the sum over three outputs",
        twin(mlp(512, outputs=3), altered(lambda k, x1, x2, given: 3 * k)),
    ),
    "standard parametrization in the twin alone": UserFault(
        "the network has NTK parametrization", twin(RELU, mlp(512, parametrization="standard"))
    ),
    "standard parametrization in the network alone": UserFault(
        "the twin has NTK parametrization", twin(mlp(512, parametrization="standard"), RELU)
    ),
    "off where x2 is given": UserFault(
        "K(x1, x2) 20 % too large where x2 is given",
        twin(RELU, altered(lambda k, x1, x2, given: k * (1.2 if given else 1.0))),
    ),
    "off at equal inputs where x2 is given": UserFault(
        "K(x1, x2) 30 % too small there",
        twin(
            RELU,
            altered(
                lambda k, x1, x2, given: jnp.where(given & (distances(x1, x2) < 1e-9), 0.7 * k, k)
            ),
        ),
    ),
    "10 % off the diagonal": UserFault("K[i, j] of i != j", twin(RELU, off_diagonal(0.9))),
    "3 % off the diagonal": UserFault("K[i, j] of i != j", twin(RELU, off_diagonal(0.97))),
    "off at negative cosines": UserFault(
        "K 30 % too large there",
        twin(
            RELU,
            altered(lambda k, x1, x2, given: jnp.where(cosines(x1, x2) < 0, 1.3 * k, k)),
        ),
    ),
    "off at cosines below -0.7": UserFault(
        "K 30 % too large there",
        twin(
            RELU,
            altered(lambda k, x1, x2, given: jnp.where(cosines(x1, x2) < -0.7, 1.3 * k, k)),
        ),
    ),
    "off at near duplicates": UserFault(
        "K 10 % too small at different inputs nearer than 0.01; one pair in 24 rows",
        twin(
            RELU,
            altered(
                lambda k, x1, x2, given: jnp.where(
                    (distances(x1, x2) < 0.01) & (distances(x1, x2) > 1e-9), 0.9 * k, k
                )
            ),
            NEAR,
        ),
    ),
    "off from row 6 on": UserFault("a tile added twice", twin(RELU, from_row(6))),
    "off from row 16 on": UserFault("a tile added twice", twin(RELU, from_row(16))),
    "off from row 256 on": UserFault("a tile added twice", twin(RELU, from_row(256), LONG)),
    "features from row 16 on too large": UserFault(
        "K 1.2 times for each row beyond, so that it stays positive semi-definite",
        twin(RELU, from_row(16, gram=True)),
    ),
    "the transpose where x2 is given": UserFault(
        "K(x2, x1)",
        twin(RELU, altered(lambda k, x1, x2, given: k.T if given else k)),
    ),
    "x2 ignored": UserFault(
        "K(x1, x1) where x2 is given",
        twin(RELU, lambda x1, x2=None, get="ntk": RELU[2](x1, None, get)),
    ),
    "computed in float32": UserFault("of the twin", twin(RELU, rounded(jnp.float32))),
    "computed in bfloat16": UserFault("of the twin", twin(RELU, rounded(jnp.bfloat16))),
    "not symmetric": UserFault(
        "1 % more above the diagonal",
        twin(RELU, altered(lambda k, x1, x2, given: k + 0.01 * jnp.triu(k, 1))),
    ),
    "norms of x1 for both": UserFault(
        "K(x1, x2) multiplied by |x1| / |x2|",
        twin(
            RELU,
            altered(
                lambda k, x1, x2, given: (
                    k * jnp.linalg.norm(x1, axis=1)[:, None] / jnp.linalg.norm(x2, axis=1)
                )
            ),
        ),
    ),
    "not positive semi-definite": UserFault(
        "the diagonal 60 % too small",
        twin(
            RELU,
            altered(lambda k, x1, x2, given: jnp.where(distances(x1, x2) < 1e-9, 0.4 * k, k)),
        ),
    ),
    "jitter of 1e-3": UserFault(
        "on the diagonal where x2 is not given",
        twin(RELU, altered(lambda k, x1, x2, given: k if given else k + 1e-3 * jnp.eye(len(k)))),
    ),
    "jitter of 0.3": UserFault(
        "on the diagonal where x2 is not given",
        twin(RELU, altered(lambda k, x1, x2, given: k if given else k + 0.3 * jnp.eye(len(k)))),
    ),
    "inputs normalized in the twin": UserFault(
        "rows divided by their norm, times the root of d",
        twin(
            RELU,
            lambda x1, x2=None, get="ntk": RELU[2](
                *(
                    None if x is None else 6**0.5 * x / jnp.linalg.norm(x, axis=1, keepdims=True)
                    for x in (x1, x2)
                ),
                get,
            ),
        ),
    ),
    "kernel divided by its largest entry": UserFault(
        "normalized over the batch",
        twin(RELU, altered(lambda k, x1, x2, given: 3 * k / k.max())),
    ),
    "stale cache": UserFault(
        "K of the first inputs of each shape", lambda: {"model": RELU, "x": X, "kernel_fn": Stale()}
    ),
    "inputs not divided by the root of d": UserFault(
        "K of inputs times the root of 6",
        twin(
            RELU,
            lambda x1, x2=None, get="ntk": RELU[2](
                6**0.5 * x1, None if x2 is None else 6**0.5 * x2, get
            ),
        ),
    ),
}

NETWORKS = {
    "fan-out in place of fan-in": UserFault("in the first layer", alone(forward(fan_out))),
    "head frozen": UserFault("stop_gradient on its weights", alone(forward(frozen(0, 1)))),
    "biases frozen": UserFault("stop_gradient on them", alone(forward(frozen(0, 2)))),
    "uniform weights of the wrong scale": UserFault(
        "U(-1, 1): a variance of 1/3", alone(weights(uniform(1.0)))
    ),
    "a tenth of the weights is 0": UserFault(
        "masked",
        alone(
            weights(of_leaves(lambda key, leaf: leaf * jax.random.bernoulli(key, 0.9, leaf.shape)))
        ),
    ),
    "neurons in equal pairs": UserFault("half of them copied", alone(weights(one_sided))),
    "tied layers": UserFault(
        "two layers of one weight against a twin of independent ones",
        twin(forward(tied, TWO), mlp(128, 128, 128)),
    ),
    "a wrong derivative": UserFault("custom_jvp of slope 1.1", alone(by_hand(steep_relu))),
    "gradient stopped on a branch": UserFault("of a residual network", alone(branch(True))),
    "batch statistics": UserFault("outputs divided by their spread", alone(forward(batch_norm))),
    "dropout on": UserFault("with a fixed key", alone(forward(dropout))),
    "bfloat16 inside": UserFault(
        "weights and inputs in bfloat16, the output in float64",
        alone(
            forward(
                lambda f, p, x: f(
                    jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), p),
                    x.astype(jnp.bfloat16),
                ).astype(jnp.float64)
            )
        ),
    ),
    "second output twice as large": UserFault(
        "of two, against a twin of both",
        alone(forward(lambda f, p, x: f(p, x) * jnp.array([1.0, 2.0]), mlp(512, outputs=2))),
    ),
    "output shifted by that of the first row": UserFault(
        "f(x) - f(x[0])", alone(forward(lambda f, p, x: f(p, x) - f(p, x[:1])))
    ),
    "abs for relu": UserFault("the forward pass", alone(by_hand(jnp.abs))),
}
