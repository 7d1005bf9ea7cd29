"""Inputs: uniform points of the sphere, named sets, .npz files."""
