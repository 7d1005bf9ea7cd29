"""All faults of users, and what comes of them."""

from __future__ import annotations

from conformance.faults_of_users.by_hand import HAND
from conformance.faults_of_users.common import UserFault
from conformance.faults_of_users.convolutional import CONVOLUTIONS
from conformance.faults_of_users.dense import NETWORKS, TWINS
from conformance.faults_of_users.equinox_networks import EQUINOX
from conformance.faults_of_users.grams import GRAMS
from conformance.faults_of_users.linen_networks import FLAX

USER_FAULTS: dict[str, UserFault] = {
    f"{architecture}: {name}": fault
    for architecture, faults in {
        "stax": TWINS | NETWORKS,
        "cnn": CONVOLUTIONS,
        "flax": FLAX,
        "equinox": EQUINOX,
        "by hand": HAND,
        "Gram matrix": GRAMS,
    }.items()
    for name, fault in faults.items()
}

# The claim that refutes it, and a part of its diagnosis where that names the cause.
REFUTED: dict[str, tuple[str, str]] = {
    "stax: a W_std 2 % too large": ("mean_kernel", "a wrong scale"),
    "stax: a W_std 5 % too large": ("mean_kernel", "a wrong scale"),
    "stax: a W_std 10 % too small": ("mean_kernel", "a wrong scale"),
    "stax: a W_std 40 % too large, two layers": ("mean_kernel", "a wrong scale"),
    "stax: a W_std 5 % too large, two layers": ("mean_kernel", "a wrong scale"),
    "stax: a b_std 20 % too large": ("mean_kernel", "a wrong size of the biases"),
    "stax: a b_std 40 % too large": ("mean_kernel", "a wrong size of the biases"),
    "stax: no bias in the twin": ("mean_kernel", "a missing bias"),
    "stax: a bias in the twin alone": ("mean_kernel", ""),
    "stax: no bias of the head": ("mean_kernel", "a missing bias"),
    "stax: leaky relu of 0.1 for 0.01": ("mean_kernel", ""),
    "stax: leaky relu of 0.2 for 0.1": ("mean_kernel", ""),
    "stax: gelu for relu": ("mean_kernel", ""),
    "stax: erf for tanh": ("mean_kernel", ""),
    "stax: a layer missing": ("mean_kernel", ""),
    "stax: a layer too many": ("mean_kernel", ""),
    "stax: activation missing behind the last layer": ("mean_kernel", ""),
    "stax: nngp for ntk": ("mean_kernel", "the NNGP kernel in place of the NTK"),
    "stax: sum over outputs": ("mean_kernel", "the sum over 3 outputs"),
    "stax: standard parametrization in the twin alone": ("mean_kernel", "another parametrization"),
    "stax: standard parametrization in the network alone": (
        "mean_kernel",
        "another parametrization",
    ),
    "stax: off where x2 is given": ("block_consistency", ""),
    "stax: 10 % off the diagonal": ("mean_kernel", "away from the diagonal"),
    "stax: 3 % off the diagonal": ("mean_kernel", "away from the diagonal"),
    "stax: off at negative cosines": ("mean_kernel", ""),
    "stax: off at cosines below -0.7": ("mean_kernel", ""),
    "stax: neurons in equal pairs": ("nngp_kernel", ""),
    "stax: off at near duplicates": ("mean_kernel", "and no other"),
    "stax: off from row 6 on": ("positive_semidefinite", ""),
    "stax: off from row 16 on": ("positive_semidefinite", ""),
    "stax: off from row 256 on": ("positive_semidefinite", ""),
    "stax: x2 ignored": ("symmetry", ""),
    "stax: not symmetric": ("symmetry", ""),
    "stax: norms of x1 for both": ("symmetry", ""),
    "stax: not positive semi-definite": ("positive_semidefinite", ""),
    "stax: jitter of 0.3": ("mean_kernel", "on the diagonal"),
    "stax: inputs normalized in the twin": ("mean_kernel", ""),
    "stax: kernel divided by its largest entry": ("block_consistency", ""),
    "stax: stale cache": ("symmetry", ""),
    "stax: inputs not divided by the root of d": ("mean_kernel", "a wrong scale"),
    "stax: fan-out in place of fan-in": ("mean_kernel", ""),
    "stax: head frozen": ("finite_differences", "the gradient is stopped"),
    "stax: biases frozen": ("finite_differences", "the gradient is stopped"),
    "stax: uniform weights of the wrong scale": ("mean_kernel", "a wrong scale"),
    "stax: a tenth of the weights is 0": ("mean_kernel", ""),
    "stax: a wrong derivative": ("finite_differences", "a custom derivative rule"),
    "stax: gradient stopped on a branch": ("finite_differences", "the gradient is stopped"),
    "stax: batch statistics": ("batch_independence", "BatchNorm in training mode"),
    "stax: dropout on": ("batch_independence", "dropout left on"),
    "stax: second output twice as large": ("mean_kernel", ""),
    "stax: output shifted by that of the first row": (
        "batch_independence",
        "the place in the batch",
    ),
    "stax: abs for relu": ("mean_kernel", ""),
    "cnn: padding valid for same": ("mean_kernel", ""),
    "cnn: circular padding for same": ("mean_kernel", ""),
    "cnn: sum pooling for average": ("mean_kernel", "a wrong scale"),
    "cnn: global pooling for flatten": ("mean_kernel", ""),
    "cnn: filters of 5 by 5 for 3 by 3": ("mean_kernel", ""),
    "cnn: convolution's W_std 10 % too large": ("mean_kernel", "a wrong scale"),
    "cnn: convolution without bias": ("mean_kernel", "a missing bias"),
    "flax: twin in the NTK parametrization": ("mean_kernel", "another parametrization"),
    "flax: twin of another width": ("mean_kernel", ""),
    "flax: twin without biases": ("mean_kernel", "a missing bias"),
    "flax: network without biases": ("mean_kernel", "a missing bias"),
    "flax: he_normal for lecun_normal": ("mean_kernel", "a wrong scale"),
    "flax: uniform(0.1) for lecun_normal": ("mean_kernel", ""),
    "flax: silu for gelu": ("mean_kernel", ""),
    "flax: flax's leaky relu for one of 0.2": ("mean_kernel", ""),
    "flax: a layer missing": ("mean_kernel", ""),
    "flax: LayerNorm in the network alone": ("mean_kernel", ""),
    "flax: softmax over the batch": ("batch_independence", "the other inputs' values"),
    "flax: features sorted": ("batch_independence", "such as a sort"),
    "equinox: equinox's own MLP": ("parametrization", "the standard parametrization"),
    "equinox: head divided by the width": ("parametrization", "a wrong power of its width"),
    "equinox: head divided by a nearly right power": (
        "parametrization",
        "a wrong power of its width",
    ),
    "equinox: twin 5 % too large": ("mean_kernel", "a wrong scale"),
    "equinox: twin 2 % too large": ("mean_kernel", "a wrong scale"),
    "equinox: a layer of fixed width": (
        "width_concentration",
        "a layer has width 16 at every width",
    ),
    "equinox: a random scale": ("width_concentration", "their scale is random"),
    "equinox: neurons in equal pairs": ("nngp_kernel", ""),
    "equinox: neurons all the same": ("width_concentration", "weights are shared"),
    "equinox: the key ignored": ("parametrization", "init ignores its key"),
    "by hand: clipped at 0.99": ("mean_kernel", "on the diagonal"),
    "by hand: no step part": ("mean_kernel", "the NNGP kernel in place of the NTK"),
    "by hand: factor 2 on one part": ("mean_kernel", ""),
    "by hand: factor 1/2": ("mean_kernel", "a wrong scale"),
    "by hand: pi rounded to 3": ("mean_kernel", ""),
    "by hand: absolute cosine": ("positive_semidefinite", ""),
    "by hand: norms forgotten": ("positive_semidefinite", ""),
    "by hand: constant bias": ("mean_kernel", "a constant"),
    "by hand: centered Gram matrix": ("block_consistency", ""),
    "by hand: negative entries set to 0": ("mean_kernel", ""),
    "by hand: last row scaled": ("symmetry", ""),
    "by hand: input 0 alone": ("positive_semidefinite", ""),
    "Gram matrix: one entry": ("equals_reference", "entry [2, 5]"),
    "Gram matrix: scale": ("equals_reference", "a wrong scale"),
    "Gram matrix: jitter of 1e-3": ("equals_reference", "on the diagonal"),
    "Gram matrix: two rows exchanged": ("equals_reference", "rows [3, 4]"),
    "stax: off at equal inputs where x2 is given": ("block_consistency", ""),
    "stax: features from row 16 on too large": ("block_consistency", ""),
    "stax: jitter of 1e-3": ("block_consistency", ""),
    "Gram matrix: sum over four outputs": ("equals_reference", "4 times too large"),
    "Gram matrix: not positive": ("positive_semidefinite", ""),
    "Gram matrix: one draw for the limit": ("equals_reference", "one draw of a finite network"),
    "Gram matrix: draws 10 % too large": ("mean", "a wrong scale"),
    "Gram matrix: draws without their biases": ("positive_semidefinite", ""),
}

# A part of the message where it is refused as unusable.
REFUSED: dict[str, str] = {
    "stax: the transpose where x2 is given": "needs a kernel_fn that returns an array of shape",
    "flax: BatchNorm in training mode": "BatchNorm in training mode",
    "flax: dropout on": "dropout left on",
    "by hand: no clip": "needs finite entries, got nan",
}

# Why no claim refutes it.
MISSED: dict[str, str] = {
    "stax: relu for leaky relu of 0.01": "2 % of K; mean_kernel resolves 4 %",
    "stax: gelu for gelu by tanh": "0.009 % of K; mean_kernel resolves 4 %",
    "stax: computed in float32": "1e-7 of K, and nothing reads the precision of the twin",
    "stax: computed in bfloat16": "0.4 % of K, and nothing reads the precision of the twin",
    "stax: bfloat16 inside": "judged as bfloat16: INCONCLUSIVE",
    "flax: bfloat16": "judged as bfloat16: INCONCLUSIVE",
    "equinox: both layers from one key": "less than 5 % of K; no claim is on weights",
    "by hand: clipped at 1 - 1e-6": "1e-3 of K at equal inputs; mean_kernel resolves 5 %",
    "by hand: pi rounded to 3.14": "0.05 % of K; mean_kernel resolves 5 %",
    "by hand: rounded to float16": "0.05 % of K; mean_kernel resolves 5 %",
    "Gram matrix: stored in bfloat16": "judged as bfloat16",
    "Gram matrix: computed in float32, kept in float64": "judged as float32",
    "Gram matrix: draws 3 % too large": "200 draws of width 256 do not tell: INCONCLUSIVE",
    "Gram matrix: draws of the same weights": "no independent draws: mean is not run",
}

# No faults: nothing may be refuted.
RIGHT: dict[str, str] = {
    "stax: tied layers": "no fault at infinite width; INCONCLUSIVE, the bias is unknown",
    "flax: none": "no fault: the right twin",
    "equinox: none": "no fault",
    "by hand: none": "no fault: the right kernel",
    "Gram matrix: draws": "no fault",
    "Gram matrix: none": "no fault: the right matrix",
}
