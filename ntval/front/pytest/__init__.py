"""The pytest plugin's working parts."""
