"""What the pages call `mymodule`: a network of a reader's own."""

import flax.linen as nn

SCALE = 1.0


class Mlp(nn.Module):
    """One hidden layer."""

    @nn.compact
    def __call__(self, x):
        return SCALE * nn.Dense(1)(nn.gelu(nn.Dense(64)(x)))


model = Mlp()
