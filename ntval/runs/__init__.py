"""Runs of the suite: settings, cells, order, processes, power, calibration, experiments."""
