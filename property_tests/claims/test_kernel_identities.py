"""Kernel identities hold on ntval's own networks, at regimes that Hypothesis draws."""

import jax
import pytest
from hypothesis import HealthCheck, given, settings

from ntval.claims.kernel_identities import claims
from ntval.front.strategies import regimes_for

# The fixture holds no state, so one instance may serve all examples.
ours = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@ours
@given(regime=regimes_for(claims.roads_agree))
def test_roads_agree_in_every_regime(supported, regime):
    supported(claims.roads_agree, regime)


@ours
@given(regime=regimes_for(claims.jacobian_outer_product))
def test_jacobian_outer_product_in_every_regime(supported, regime):
    supported(claims.jacobian_outer_product, regime)


@ours
@given(regime=regimes_for(claims.symmetry))
def test_symmetry_in_every_regime(supported, regime):
    supported(claims.symmetry, regime)


@ours
@given(regime=regimes_for(claims.permutation_equivariance))
def test_permutation_equivariance_in_every_regime(supported, regime):
    supported(claims.permutation_equivariance, regime)


@ours
@given(regime=regimes_for(claims.positive_semidefinite))
def test_positive_semidefinite_in_every_regime(supported, regime):
    supported(claims.positive_semidefinite, regime)


@ours
@given(regime=regimes_for(claims.batch_independence))
def test_batch_independence_in_every_regime(supported, regime):
    supported(claims.batch_independence, regime)


@ours
@given(regime=regimes_for(claims.analytic_oracle))
def test_analytic_oracle_in_every_regime(supported, regime):
    supported(claims.analytic_oracle, regime)


@pytest.mark.parametrize("regime", claims.unbiased_kernel.regimes["quick"], ids=str)
def test_unbiased_kernel_of_one_hidden_layer(supported, regime):
    supported(claims.unbiased_kernel, regime)


def test_unbiased_kernel_over_regimes(holds):
    holds(claims.unbiased_kernel)


@pytest.mark.parametrize("regime", claims.mean_kernel.regimes["quick"], ids=str)
def test_mean_kernel_of_deep_networks(supported, regime):
    supported(claims.mean_kernel, regime)


@pytest.mark.parametrize("regime", claims.width_rate.regimes["quick"], ids=str)
def test_width_rate_is_minus_one(supported, regime):
    supported(claims.width_rate, regime)


@pytest.mark.parametrize("regime", claims.width_concentration.regimes["quick"], ids=str)
def test_width_concentration_is_like_one_over_width(supported, regime):
    supported(claims.width_concentration, regime)


@pytest.mark.parametrize("regime", claims.parametrization.regimes["quick"], ids=str)
def test_parametrization_leaves_the_size_alone(supported, regime):
    supported(claims.parametrization, regime)


def test_parametrization_compiles_nothing_anew_for_another_seed(caplog):
    # Hundreds of runs, as of a calibration, would exhaust the memory mappings of a process.
    regime = claims.parametrization.regimes["quick"][0]
    claims.parametrization.check(0, regime)
    with jax.log_compiles():
        claims.parametrization.check(1, regime)
    assert "Finished XLA compilation" not in caplog.text


@pytest.mark.parametrize("regime", claims.precision.regimes["quick"], ids=str)
def test_precision_of_float32_is_that_of_rounding(supported, regime):
    supported(claims.precision, regime)
