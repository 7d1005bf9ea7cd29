"""Montanari & Zhong, 2007.12826: the kernel, its finite width, regression risks."""
