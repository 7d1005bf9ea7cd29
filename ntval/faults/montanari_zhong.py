"""Planted faults of Montanari & Zhong's setting, formulas and conventions."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ntval.faults import mutations
from ntval.faults.fault import Fault
from ntval.faults.sites import (
    in_kernel_fn,
    in_kernel_of,
    in_method,
    in_mlp,
    in_option,
    in_prediction,
)
from ntval.theory import isotropic_targets
from ntval.theory import montanari_zhong as theory
from ntval.theory.ridge_equivalents import Target

FAULTS = (
    Fault(
        "empirical_times_d",
        "the empirical kernel lacks a factor 1/d",
        in_method(
            lambda method: (
                lambda network, params, x1, x2=None: x1.shape[1] * method(network, params, x1, x2)
            )
        ),
    ),
    Fault(
        "empirical_without_inputs",
        "the empirical kernel lacks the factor <x, x'>/d",
        in_method(mutations.without_input_factor),
    ),
    Fault(
        "analytic_of_gaussian_weights",
        "the analytic kernel is that of Gaussian weights, not of weights on the sphere",
        in_kernel_of(mutations.gaussian_first_layer),
    ),
    Fault(
        "analytic_without_inputs",
        "the analytic kernel lacks the factor <x, x'>/d",
        in_kernel_fn(
            lambda kernel: (
                lambda x1, x2=None, get="ntk": (
                    kernel(x1, x2, get) / (x1 @ (x1 if x2 is None else x2).T / x1.shape[1])
                )
            )
        ),
    ),
    Fault(
        "analytic_adds_second_layer",
        "the second layer, which is fixed, is trained in the analytic kernel",
        in_kernel_fn(
            lambda kernel: (
                lambda x1, x2=None, get="ntk": kernel(x1, x2, get) + kernel(x1, x2, "nngp")
            )
        ),
    ),
    Fault(
        "energies_shifted",
        "the energy of each degree is given to the one below",
        in_option(energies=lambda fn, d, degree: theory.energies(fn, d, degree + 1)[1:]),
    ),
    Fault(
        "energies_of_limit",
        "squared Hermite coefficients in place of the energies at finite d",
        in_option(energies=mutations.limit_energies),
    ),
    Fault(
        "energies_without_constant",
        "the energy of degree 0 is left out",
        in_option(
            energies=lambda fn, d, degree: (
                theory.energies(fn, d, degree) * (np.arange(degree + 1) > 0)
            )
        ),
    ),
    Fault(
        "tail_shifted_up",
        "the tail starts one degree too late",
        in_option(tail=lambda fn, d, degree: theory.tail_energy(fn, d, degree + 1)),
    ),
    Fault(
        "tail_shifted_down",
        "the tail starts one degree too early",
        in_option(tail=lambda fn, d, degree: theory.tail_energy(fn, d, degree - 1)),
    ),
    Fault(
        "outliers_without_constant",
        "the constant is not counted among the outliers",
        in_option(count=lambda fn, d, degree: theory.outliers(fn, d, degree=degree) - 1),
    ),
    Fault(
        "tail_missing",
        "the self-induced ridge is left out",
        in_option(tail=lambda fn, d, degree: 0.0),
    ),
    Fault(
        "tail_of_limit",
        "the limit v_l in place of the self-induced ridge at finite d",
        in_option(tail=lambda fn, d, degree: theory.tail_energy_limit(fn, degree)),
    ),
    Fault(
        "ridge_times_n",
        "the ridge is multiplied by n, as of an averaged loss",
        in_option(ridge=lambda regime: regime.ridge * regime.n),
    ),
    Fault(
        "ridge_over_n",
        "the ridge is divided by n",
        in_option(ridge=lambda regime: regime.ridge / regime.n),
    ),
    Fault(
        "ridge_not_averaged",
        "the ridge of an averaged loss is not divided by n",
        in_option(averaged=lambda ridge, n: ridge),
    ),
    Fault(
        "ridge_not_relative",
        "neural-tangents' diag_reg is taken for an absolute ridge",
        in_option(relative=lambda ridge, gram: ridge),
    ),
    Fault(
        "ridge_of_primal_over_n",
        "the ridge on features is divided by n",
        in_option(primal=lambda ridge, n: ridge / n),
    ),
    Fault(
        "ridge_left_on",
        "a ridge of 0.1 in place of none",
        in_option(ridge=lambda regime: 0.1),
    ),
    Fault(
        "train_for_test",
        "the train error in place of the risk",
        in_option(
            score=lambda gram, harmonics, moments, target, *, ridge: isotropic_targets.train_error(
                gram, harmonics, target, ridge=ridge
            )
        ),
    ),
    Fault(
        "noise_in_risk",
        "the variance of the labels' noise is counted in the risk",
        in_option(
            score=lambda gram, harmonics, moments, target, *, ridge: (
                isotropic_targets.risk(gram, harmonics, moments, target, ridge=ridge)
                + target.noise_std**2
            )
        ),
    ),
    Fault(
        "target_without_noise",
        "residuals are taken from the target, not from its noisy labels",
        in_option(
            target=lambda regime: Target(energies=(0.0, 1.0), noise_std=0.0),
        ),
    ),
    Fault(
        "pairs_not_paired",
        "weights are independent where they should come in pairs",
        in_option(init=lambda init: init),
    ),
    Fault(
        "scale_of_root",
        "outputs are scaled by the root of alpha",
        in_option(scale=math.sqrt),
    ),
    Fault(
        "linearized_elsewhere",
        "the linearization is taken 5 % away from the initial weights",
        in_option(shift=0.05),
    ),
    Fault(
        "width_not_halved",
        "all neurons of a symmetrized initialization are counted",
        in_option(effective=lambda width, *, symmetrized: width),
    ),
    Fault(
        "empirical_leaky_relu",
        "leaky relu in place of relu in the empirical kernel",
        in_mlp(lambda mlp: replace(mlp, activation="leaky_relu")),
    ),
    Fault(
        "prediction_free_intercept",
        "an intercept is taken to cost nothing",
        in_prediction(0.0),
    ),
    Fault(
        "prediction_of_infinite_width",
        "the risk of infinite width in place of that of finite width",
        in_prediction(theory.kernel_ridge_risk),
    ),
    Fault(
        "prediction_limit",
        "the limit v_1 in place of the finite-d formula",
        in_prediction(theory.min_eigenvalue_limit),
    ),
    Fault(
        "prediction_every_degree_learned",
        "every degree up to 3 is taken to be learned",
        in_prediction(1.0),
    ),
    Fault(
        "prediction_degree_shifted",
        "the tail starts one degree too late",
        in_prediction(lambda activation, d: theory.tail_energy(activation, d, 2)),
    ),
)
