"""What is measured of a kernel: spectra, regression, training; never theory."""
