"""Planted faults: where they sit, what they change, which there are."""
