"""The paper's side: numbers in, numbers out; no key, no JAX."""
