"""Where theory and measurement meet: every claim, written out."""
