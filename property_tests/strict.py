"""What holds every function of ntval to its signature in tests: a whole number is a float too."""

from beartype import BeartypeConf, beartype

checker = beartype(conf=BeartypeConf(is_pep484_tower=True))
