"""How a verdict is reached: e-values, allowances, identities, bounds, samples."""
