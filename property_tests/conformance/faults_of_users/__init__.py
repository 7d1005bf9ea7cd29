"""Faults that users have in their own networks, twins and Gram matrices."""
