r"""Montanari & Zhong, 2007.12826: risks of ridge regression with the neural tangent kernel.

| here | paper | meaning |
|---|---|---|
| `ridge` | $\lambda$ | absolute: $K + \lambda I$, in every function |
| `effective_ridge` | $\gamma_{\text{eff}}$ | ridge of the linear regression it amounts to |
| `target.energies` | $F_k = \|P_k f_*\|^2$ | mean square of the target on degree k = 0, 1, ... |
| `noise_std` | $\sigma_\varepsilon$ | standard deviation of the labels' noise |
| risk | $R$ | $E_x (f_*(x) - \hat f(x))^2$, label noise not included |
| train error | – | $n^{-1} \sum_i (y_i - \hat f(x_i))^2$ |
| kernel ridge | KRR | regression with the infinite-width kernel K |
| polynomial ridge | PRR | regression with $K^p = \sum_{k \le \ell} \gamma_k P_k$ |

Targets are isotropic: on each degree a random direction. A fixed target has the same mean risk,
since the law of the inputs is invariant under rotations. The rest of the notation is that of
`montanari_zhong`; risks given the inputs are in `isotropic_targets`.
"""

from __future__ import annotations

import math

from ntval.activations import Activation
from ntval.errors import InputError
from ntval.theory import ridge_equivalents
from ntval.theory.domains import require_measured
from ntval.theory.montanari_zhong.kernel import tail_energy_limit
from ntval.theory.montanari_zhong.spectrum import operator_levels
from ntval.theory.ridge_equivalents import RidgeEquivalent, Target

# Activations for which remainders are measured.
_MEASURED = ("relu", "tanh", "gelu")
_LAST_DEGREE = 10  # kept as levels; what is above goes into the ridge


def effective_ridge(activation: Activation, d: int, *, ridge: float) -> float:
    r"""$(\lambda + \gamma_{>1}) / \gamma_1$: the kernel acts on linear targets as ridge regression
    $\hat\beta = (X^\top X + d \gamma I)^{-1} X^\top y$ with this $\gamma$, at finite d.

    Source: spec montanari_zhong, theorem E (derived and checked). Accuracy: 1e-12 relative.
    Raises: `InputError` when the kernel has no degree 1.
    """
    eigenvalues, counts, tail = operator_levels(activation, d, degree=1)
    return (ridge + tail) / _linear_part(activation, float(eigenvalues[1] * counts[1]))


def effective_ridge_limit(activation: Activation, *, ridge: float) -> float:
    r"""$\gamma_{\text{eff}} = (\lambda + v_1(\sigma)) / \mu_0(\sigma')^2$, the limit.

    Source: spec montanari_zhong, theorem E (recalled, checked). Accuracy: 1e-12 relative.
    Raises: `InputError` when $E \sigma'(G) = 0$.
    """
    above = tail_energy_limit(activation, 1)
    linear = tail_energy_limit(activation, 0) - above
    return (ridge + above) / _linear_part(activation, linear)


def _linear_part(activation: Activation, energy: float) -> float:
    if energy <= 1e-12:
        raise InputError(
            f"activation needs E sigma'(G) != 0, got {activation.name!r}: its kernel has no "
            "degree 1 and learns nothing of a linear target; its risk is the target's energy."
        )
    return energy


def linear_target_risk(
    activation: Activation,
    n: int,
    d: int,
    *,
    ridge: float,
    noise_std: float,
    target_energy: float = 1.0,
) -> float:
    r"""Risk on a linear target, $\|\beta\|^2 B(\gamma) + \sigma^2 V(\gamma)$ with
    $\gamma$ = `effective_ridge`, $\delta = n / d$, $\|\beta\|^2$ = `target_energy`.

    Source: spec montanari_zhong, theorem E (recalled; derived anew, checked).
    Accuracy: against polynomial ridge regression of degree 1 `linear_target_risk_remainder`.
    Raises: `InputError` when the kernel has no degree 1.
    """
    gamma = effective_ridge(activation, d, ridge=ridge)
    return _isotropic_risk(n / d, gamma, target_energy, noise_std)


def linear_target_risk_limit(
    activation: Activation,
    ratio: float,
    *,
    ridge: float,
    noise_std: float,
    target_energy: float = 1.0,
) -> float:
    r"""The limit of `linear_target_risk` as n, d grow with $n / d \to \delta$ = `ratio`.

    Source: spec montanari_zhong, theorem E (recalled; derived anew, checked).
    Accuracy: 1e-12 relative.
    Raises: `InputError` when $E \sigma'(G) = 0$.
    """
    gamma = effective_ridge_limit(activation, ridge=ridge)
    return _isotropic_risk(ratio, gamma, target_energy, noise_std)


def _isotropic_risk(ratio: float, ridge: float, target_energy: float, noise_std: float) -> float:
    bias = ridge_equivalents.isotropic_bias(ratio, ridge=ridge)
    variance = ridge_equivalents.isotropic_variance(ratio, ridge=ridge)
    return target_energy * bias + noise_std**2 * variance


def linear_target_risk_remainder(
    activation: Activation, n: int, d: int, *, ridge: float, noise_std: float
) -> float:
    r"""How far `linear_target_risk` with $\|\beta\|^2 = 1$ may lie from the mean risk of polynomial
    ridge regression of degree 1: 3 % of it, or 1.2 / d if that is more. That of kernel ridge
    regression lies `self_induced_ridge_gap` away.

    Source: measured here (ReLU, tanh and GELU, d >= 20, n <= 10 d): the constant, left out, takes
    its share of the labels, one direction more than d. A search of 1034 points (d = 20..60,
    n = d / 2..10 d, ridge 0 to 1, noise 0 to 1) found 4.4 % at d = 20, noise 1.
    Raises: `InputError` outside of that.
    """
    require_measured(
        "linear_target_risk", activation, _MEASURED, d=(d, 20, math.inf), ratio=(n / d, 0, 10)
    )
    return max(0.03, 1.2 / d) * linear_target_risk(
        activation, n, d, ridge=ridge, noise_std=noise_std
    )


def kernel_ridge_equivalent(
    activation: Activation, n: int, d: int, *, ridge: float
) -> RidgeEquivalent:
    r"""Deterministic equivalent of kernel ridge regression with K: learning threshold,
    learnabilities of degrees 0..10 and the effective dimension $n_{\text{eff}}$.

    Energy above degree 10 goes into the ridge.

    Source: spec montanari_zhong, section 3 (derived and checked); `ridge_equivalents`.
    Accuracy: `kernel_ridge_risk_remainder`. Raises: `InputError` unless `ridge` >= 0.
    """
    eigenvalues, counts, tail = operator_levels(activation, d, degree=_LAST_DEGREE)
    return ridge_equivalents.ridge_equivalent(eigenvalues, counts, n, ridge=ridge, tail=tail)


def polynomial_ridge_equivalent(
    activation: Activation, n: int, d: int, *, ridge: float, degree: int = 1
) -> RidgeEquivalent:
    r"""Deterministic equivalent of polynomial ridge regression of degree $\ell$ = `degree`.

    `ridge` is all of its ridge: `tail_energy` + $\lambda$ where it stands for kernel ridge
    regression with ridge $\lambda$ (theorem D).

    Source: spec montanari_zhong, section 3 (derived and checked); `ridge_equivalents`.
    Accuracy: as `kernel_ridge_risk_remainder`.
    Raises: `InputError` unless `ridge` >= 0, and at `ridge` = 0 with as many samples as directions.
    """
    eigenvalues, counts, _ = operator_levels(activation, d, degree=max(degree, _LAST_DEGREE))
    eigenvalues[degree + 1 :] = 0.0
    return ridge_equivalents.ridge_equivalent(eigenvalues, counts, n, ridge=ridge)


def kernel_ridge_risk(
    activation: Activation, n: int, d: int, target: Target, *, ridge: float
) -> float:
    r"""Mean risk of kernel ridge regression with the infinite-width kernel K.

    $$R = E_0 \Big(\sum_k F_k (1 - L_k)^2 + \sigma^2\Big) - \sigma^2$$
    of `kernel_ridge_equivalent`.

    Source: spec montanari_zhong, section 3 (derived and checked; not in the paper).
    Accuracy: `kernel_ridge_risk_remainder`. Raises: `InputError` on a negative ridge.
    """
    return ridge_equivalents.risk(kernel_ridge_equivalent(activation, n, d, ridge=ridge), target)


def kernel_ridge_risk_remainder(
    activation: Activation, n: int, d: int, target: Target, *, ridge: float
) -> float:
    r"""How far `kernel_ridge_risk` may lie from the mean.

    $$\frac{1}{4 d} \Big(\tfrac32 E_0^3 \sum_k F_k (1 - L_k)^2 + (E_0 - 1) \sigma^2 + F_0\Big)$$
    $F_0$ stands there because the constant is no random feature; it is the worst of the degrees.

    Source: measured here, on the conditional risks of 4 to 600 draws of the inputs: ReLU, tanh,
    GELU; ridge 0, 0.1, 1; d = 10..160; n = d / 2..10 d with linear and constant targets,
    n = 1.2 d^2..4 d^2 with targets of degrees 0 to 3. Its form is derived: O(1/d). The factor of
    the bias is measured without noise (ReLU, GELU; d = 10..23, n = 0.15..1.5 B(d, 2), 200 draws):
    4 d times the bias's relative error is 0.9 to 1.4 E_0^2 near n = B(d, 2), less elsewhere; 360
    searched points found it missing.
    Raises: `InputError` for other activations, and outside of d >= 10, n = d / 2..4 d^2.
    """
    require_measured(
        "kernel_ridge_risk",
        activation,
        _MEASURED,
        d=(d, 10, math.inf),
        n=(n, d / 2, 4 * d**2),
    )
    equivalent = kernel_ridge_equivalent(activation, n, d, ridge=ridge)
    factor = equivalent.overfitting
    noise = (factor - 1) * target.noise_std**2
    bias = ridge_equivalents.risk(equivalent, target) - noise
    return (1.5 * factor**2 * bias + noise + sum(target.energies[:1])) / (4 * d)


def kernel_ridge_train_error(
    activation: Activation, n: int, d: int, target: Target, *, ridge: float
) -> float:
    r"""Mean train error of kernel ridge regression, $(\lambda / n \kappa)^2 (R + \sigma^2)$.

    Source: spec montanari_zhong, section 3 (derived and checked).
    Accuracy: `kernel_ridge_train_error_remainder`. Raises: `InputError` on a negative ridge.
    """
    equivalent = kernel_ridge_equivalent(activation, n, d, ridge=ridge)
    return ridge_equivalents.train_error(equivalent, target)


def kernel_ridge_train_error_remainder(
    activation: Activation, n: int, d: int, target: Target, *, ridge: float
) -> float:
    r"""How far `kernel_ridge_train_error` may lie from the mean: 1 % of it.

    Source: measured as `kernel_ridge_risk_remainder`; 0.4 % for d >= 14. Raises: as it.
    """
    kernel_ridge_risk_remainder(activation, n, d, target, ridge=ridge)
    return 0.01 * kernel_ridge_train_error(activation, n, d, target, ridge=ridge)


def learned_share(
    activation: Activation, n: int, d: int, *, ridge: float, last: int = _LAST_DEGREE
) -> list[float]:
    r"""Shares $L_k$ of a target on degree k = 0, ..., `last` that kernel ridge regression learns:
    the mean of $\langle \hat f, f_k \rangle / \|f_k\|^2$, 0 exactly where the kernel lacks k.

    $$L_k = \frac{e_k}{e_k + \kappa}, \qquad e_k = \gamma_k / B(d, k)$$

    Source: spec montanari_zhong, section 3 and E20 (derived and checked).
    Accuracy: `learned_share_remainder`. Raises: `InputError` on a negative ridge.
    """
    equivalent = kernel_ridge_equivalent(activation, n, d, ridge=ridge)
    return [float(share) for share in equivalent.learnabilities[: last + 1]]


def learned_share_remainder(
    activation: Activation, d: int, *, last: int = _LAST_DEGREE
) -> list[float]:
    r"""How far `learned_share` may lie from the mean: $0.1 / d$, and 0 where the kernel lacks k.

    Source: measured here (ReLU, tanh, GELU; d = 10..40, n = 3 d..3 d^2, ridge 0 and 0.1; 12 to 60
    draws): below 0.05 / d.
    """
    eigenvalues, _, _ = operator_levels(activation, d, degree=_LAST_DEGREE)
    return [0.1 / d if eigenvalue > 0 else 0.0 for eigenvalue in eigenvalues[: last + 1]]


def polynomial_ridge_risk(
    activation: Activation, n: int, d: int, target: Target, *, ridge: float, degree: int = 1
) -> float:
    r"""Mean risk of polynomial ridge regression; `ridge` as in `polynomial_ridge_equivalent`.

    Source: spec montanari_zhong, section 3 (derived and checked).
    Accuracy: as `kernel_ridge_risk_remainder`. Raises: `InputError` on a negative ridge.
    """
    equivalent = polynomial_ridge_equivalent(activation, n, d, ridge=ridge, degree=degree)
    return ridge_equivalents.risk(equivalent, target)


def polynomial_ridge_train_error(
    activation: Activation, n: int, d: int, target: Target, *, ridge: float, degree: int = 1
) -> float:
    r"""Mean train error of polynomial ridge regression, `ridge` as in
    `polynomial_ridge_equivalent`.

    Source: spec montanari_zhong, section 3 (derived and checked).
    Accuracy: as `kernel_ridge_train_error`. Raises: `InputError` on a negative ridge.
    """
    equivalent = polynomial_ridge_equivalent(activation, n, d, ridge=ridge, degree=degree)
    return ridge_equivalents.train_error(equivalent, target)


def train_error_ratio(activation: Activation, d: int, *, ridge: float, degree: int = 1) -> float:
    r"""$(\lambda / (\lambda + \gamma_{>\ell}))^2$: train error of kernel ridge regression over that
    of polynomial ridge regression with ridge $\lambda + \gamma_{>\ell}$.

    Source: spec montanari_zhong, section 3 (derived and checked).
    Accuracy: of the ratio, an O(n / B(d, k_*)) too small: 3 % (ReLU) and 0.1 % (tanh) at d = 80,
    n = 240, ridge 0.1, but 12 % at d = 20, n = 60 (measured). `kernel_ridge_train_error` has
    no such error.
    Raises: `InputError` unless `ridge` >= 0 and one of ridge and tail energy is positive.
    """
    _, _, tail = operator_levels(activation, d, degree=degree)
    if not ridge >= 0 or ridge + tail == 0:
        raise InputError(
            f"ridge needs to be >= 0, and > 0 for a polynomial of degree <= {degree}, "
            f"got {ridge!r} with {activation.name!r}; add a ridge."
        )
    return (ridge / (ridge + tail)) ** 2
