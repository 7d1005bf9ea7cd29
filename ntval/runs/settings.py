"""Settings of a run: written once, handed on whole. Standard library only."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

from ntval.errors import InputError, unknown_name

# How many times the draws of quick a profile may take.
PROFILES: dict[str, float] = {"quick": 1.0, "standard": 8.0, "thorough": 64.0}


@dataclass(frozen=True)
class Settings:
    """What a run is about and how sure it has to be.

    `profile`: quick, standard or thorough.
    `alpha`: the probability that a run refutes anything of correct code.
    `seed`: that of all randomness.
    `network`: MODULE:ATTR of a user's network, or the name of one that lives in this process.
    `data`: the name of a data set, or the path of an .npz or .npy file.

    Raises: `InputError` and `UnknownNameError` for values that cannot be used.
    """

    profile: str = "quick"
    alpha: float = 1e-6
    seed: int = 0
    network: str | None = None
    data: str | None = None

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise unknown_name("profile", self.profile, PROFILES)
        object.__setattr__(self, "alpha", alpha_of(self.alpha, name="alpha"))
        if not is_seed(self.seed):
            raise InputError(
                f"seed needs a whole number from 0 to 2^63 - 1, got {self.seed!r}; "
                "the default is 0."
            )

    @property
    def effort(self) -> float:
        """How many times the draws of quick a check may take."""
        return PROFILES[self.profile]


def seed_of(text: str, *, name: str = "--seed", directory: Path | None = None) -> int:
    """The seed that an option gives: a number, or 'commit' for that of HEAD in `directory`.

    Raises: `InputError` for anything else, digits of other scripts among it.
    """
    if text == "commit":
        try:
            command = ["git", "rev-parse", "HEAD"]
            found = subprocess.run(
                command, cwd=directory, capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            raise InputError(
                f"{name} needs a git checkout here, got 'commit'; pass a number."
            ) from None
        return int(found.stdout[:8], 16)
    # 19 digits hold 2^63 - 1, and Python refuses to read thousands of them.
    seed = int(text) if re.fullmatch(r"[0-9]{1,19}", text) else -1
    if not is_seed(seed):
        raise InputError(
            f"{name} needs a whole number from 0 to 2^63 - 1 or 'commit', got {text!r}; "
            "the default is 0."
        )
    return seed


def is_seed(value: object) -> bool:
    """Whether `value` is a whole number from 0 to 2^63 - 1; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def alpha_of(value: object, *, name: str = "--alpha", default: str = "1e-6") -> float:
    """The probability that an option's text or an argument gives.

    Raises: `InputError` unless it is a number between 0 and 1.
    """
    try:
        alpha = float(value) if isinstance(value, str) else value
    except ValueError:
        alpha = None
    if not is_alpha(alpha):
        raise InputError(
            f"{name} needs a probability between 0 and 1, got {value!r}; the default is {default}."
        )
    return float(alpha)  # pyright: ignore[reportArgumentType]


def is_alpha(value: object) -> bool:
    """Whether `value` is a number between 0 and 1, both excluded; a text is none."""
    return isinstance(value, Real) and bool(0 < value < 1)  # pyright: ignore[reportOperatorIssue]


DEFAULTS = Settings()
