"""Montanari & Zhong's claims hold in their regimes, and in those that Hypothesis draws."""

import pytest

from ntval.claims import montanari_zhong as claims


def quick(claim):
    return pytest.mark.parametrize("regime", claim.regimes["quick"], ids=str)


@quick(claims.gradient)
def test_gradient_holds_at_finite_width(supported, regime):
    supported(claims.gradient, regime)


@quick(claims.normalization)
def test_normalization_at_finite_d(supported, regime):
    supported(claims.normalization, regime)


@quick(claims.unbiased_kernel)
def test_unbiased_kernel_at_finite_d(supported, regime):
    supported(claims.unbiased_kernel, regime)


@quick(claims.hermite_energies)
def test_hermite_energies_are_those_of_the_kernel(supported, regime):
    supported(claims.hermite_energies, regime)


@quick(claims.parity)
def test_parity_leaves_degrees_out(supported, regime):
    supported(claims.parity, regime)


@quick(claims.concentration)
def test_concentration_at_finite_d(supported, regime):
    supported(claims.concentration, regime)


@quick(claims.concentration_rate)
def test_concentration_rate_is_that_of_the_edge(supported, regime):
    supported(claims.concentration_rate, regime)


@quick(claims.kernel_structure)
def test_kernel_structure_at_finite_d(supported, regime):
    supported(claims.kernel_structure, regime)


@quick(claims.min_eigenvalue)
def test_min_eigenvalue_at_finite_d(supported, regime):
    supported(claims.min_eigenvalue, regime)


@quick(claims.min_eigenvalue_limit)
def test_min_eigenvalue_limit_is_approached_with_d(supported, regime):
    supported(claims.min_eigenvalue_limit, regime)


@quick(claims.min_eigenvalue_bound)
def test_min_eigenvalue_bound_holds_with_high_probability(supported, regime):
    supported(claims.min_eigenvalue_bound, regime)


@quick(claims.few_samples)
def test_few_samples_raise_the_smallest_eigenvalue(supported, regime):
    supported(claims.few_samples, regime)


@quick(claims.outliers)
def test_outliers_are_counted_and_placed(supported, regime):
    supported(claims.outliers, regime)


@quick(claims.degenerate_inputs)
def test_degenerate_inputs_make_the_kernel_singular(supported, regime):
    supported(claims.degenerate_inputs, regime)


@quick(claims.precision)
def test_precision_of_float32_is_rounding(supported, regime):
    supported(claims.precision, regime)


@quick(claims.memorization)
def test_memorization_of_noise_up_to_the_rank(supported, regime):
    supported(claims.memorization, regime)


@quick(claims.phase_diagram)
def test_phase_diagram_at_as_many_weights_as_samples(supported, regime):
    supported(claims.phase_diagram, regime)


@quick(claims.dead_points)
def test_dead_points_of_relu(supported, regime):
    supported(claims.dead_points, regime)


@quick(claims.quadratic_rank)
def test_quadratic_rank_is_below_the_number_of_weights(supported, regime):
    supported(claims.quadratic_rank, regime)


@quick(claims.symmetrized_initialization)
def test_symmetrized_initialization_halves_the_width(supported, regime):
    supported(claims.symmetrized_initialization, regime)


@quick(claims.ridge_equivalence)
def test_ridge_equivalence_of_network_and_kernel(supported, regime):
    supported(claims.ridge_equivalence, regime)


@quick(claims.ridge_conventions)
def test_ridge_conventions_agree(supported, regime):
    supported(claims.ridge_conventions, regime)


@quick(claims.self_induced_ridge)
def test_self_induced_ridge_stands_for_the_high_degrees(supported, regime):
    supported(claims.self_induced_ridge, regime)


@quick(claims.linear_target_risk)
def test_linear_target_risk_is_explicit(supported, regime):
    supported(claims.linear_target_risk, regime)


@quick(claims.deterministic_equivalent)
def test_deterministic_equivalent_of_kernel_ridge_regression(supported, regime):
    supported(claims.deterministic_equivalent, regime)


@quick(claims.train_error)
def test_train_error_with_a_ridge(supported, regime):
    supported(claims.train_error, regime)


@quick(claims.constant_target)
def test_constant_target_is_partly_learned(supported, regime):
    supported(claims.constant_target, regime)


@quick(claims.double_descent)
def test_double_descent_peaks_at_the_threshold(supported, regime):
    supported(claims.double_descent, regime)


@quick(claims.lazy_training)
def test_lazy_training_exponents(supported, regime):
    supported(claims.lazy_training, regime)


def test_normalization_over_regimes(holds):
    holds(claims.normalization)


def test_unbiased_kernel_over_regimes(holds):
    holds(claims.unbiased_kernel)


def test_concentration_over_regimes(holds):
    holds(claims.concentration)


def test_kernel_structure_over_regimes(holds):
    holds(claims.kernel_structure)


def test_min_eigenvalue_over_regimes(holds):
    holds(claims.min_eigenvalue)


def test_memorization_over_regimes(holds):
    holds(claims.memorization)


def test_dead_points_over_regimes(holds):
    holds(claims.dead_points)


def test_self_induced_ridge_over_regimes(holds):
    holds(claims.self_induced_ridge)


def test_linear_target_risk_over_regimes(holds):
    holds(claims.linear_target_risk)


def test_deterministic_equivalent_over_regimes(holds):
    holds(claims.deterministic_equivalent)


@quick(claims.ridge_equivalence_rate)
def test_ridge_equivalence_rate_is_minus_one(supported, regime):
    supported(claims.ridge_equivalence_rate, regime)


@quick(claims.learned_degrees)
def test_learned_degrees_are_those_of_the_kernel(supported, regime):
    supported(claims.learned_degrees, regime)
