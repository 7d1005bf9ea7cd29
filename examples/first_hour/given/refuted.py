"""A network whose infinite-width twin is 3.1 % too large."""

from names import apply_fn, init, twin

import ntval


def too_large(x1, x2=None, get="ntk"):
    """The kernel with a wrong scale."""
    return 1.031 * twin(x1, x2, get)


try:
    ntval.check_network(
        apply_fn, init=init, kernel_fn=too_large, claims=["mean_kernel"], name="my network"
    )
except ntval.RefutedError as error:
    print(error)
