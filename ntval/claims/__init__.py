"""Where theory and measurement meet: every claim, written out."""

from ntval.claims import gram_matrices, kernel_identities, montanari_zhong
from ntval.claims.claim import Claim

CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for claim in (
        kernel_identities.batch_independence,
        kernel_identities.roads_agree,
        kernel_identities.jacobian_outer_product,
        kernel_identities.symmetry,
        kernel_identities.permutation_equivariance,
        kernel_identities.positive_semidefinite,
        kernel_identities.analytic_oracle,
        kernel_identities.unbiased_kernel,
        kernel_identities.mean_kernel,
        kernel_identities.width_rate,
        kernel_identities.width_concentration,
        kernel_identities.parametrization,
        kernel_identities.precision,
        gram_matrices.equals_reference,
        gram_matrices.mean,
        *(getattr(montanari_zhong, word) for word in montanari_zhong.__all__),
    )
}

__all__ = ["CLAIMS", "Claim"]
