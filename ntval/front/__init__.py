"""The front doors: check_network, the command line, pytest, Hypothesis strategies."""
