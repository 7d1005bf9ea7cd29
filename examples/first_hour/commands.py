"""How each command of the pages is run, and which are not, with the reason.

A command that is in none of these tables is run as it is printed.
"""

from __future__ import annotations

# Words in the place of those that stand for what a reader has; `...` is the command as printed.
MEANT = {
    "ntval explore CLAIM --minutes 5": "ntval explore outliers --minutes 5",
    "ntval check CLAIM --at 'Regime(...)'": "ntval check outliers --at "
    "'Regime(n=60, d=20, widths=(4,))'",
    "ntval explore": "ntval explore outliers",
    "ntval baseline compare": "ntval baseline compare ntk.json",
}

# What takes minutes, as it is run without --whole. A second command that is run as an earlier one
# was costs nothing.
PLANTED = "ntval power gradient --fault empirical_derivative --no-sizes"
SMOKE = "ntval run montanari_zhong/phase_diagram"
SHORT = {
    "ntval check --network mymodule:model": "... symmetry",
    "ntval check --network mymodule:model --data my.npz --report report.html": "... symmetry",
    "ntval check --data digits": "... --plan",
    "ntval baseline freeze ntk.json --network mymodule:model": "... symmetry",
    "ntval power": PLANTED,
    "ntval power --workers 2": PLANTED,
    "ntval calibrate": "... normalization --runs 2",
    "ntval explore outliers --minutes 5": "ntval explore outliers --minutes 0.01",
    "ntval explore outliers": "ntval explore outliers --minutes 0.01",
    "ntval check --seed commit": "... parity",
    "ntval check montanari_zhong --profile standard": "ntval check gradient --profile standard",
    f"{SMOKE} --grid full": SMOKE,
    "ntval run double_descent --grid full --workers 2 --out figures/ --seed 1": f"{SMOKE} "
    "--workers 2 --out figures/",
    "ntval check --network mymodule:model --junit ntval.xml --workers 2": "... symmetry "
    "--workers 1",
    "ntval baseline compare ntk.json --workers 2": "ntval baseline compare ntk.json",
    "ntval check --network mymodule:model --profile standard --seed commit --junit ntval.xml "
    "--workers 2": "... symmetry --workers 1",
}

# Without --whole, snippets of which nothing is printed check one claim a call.
SHORT_NAMES = """from names import *
import functools
import ntval
ntval.check_network = functools.partial(ntval.check_network, claims=["symmetry"])
"""

# Commands that take an hour as printed are as short with --whole.
HOURS = {
    "ntval power",
    "ntval power --workers 2",
    "ntval calibrate",
    "ntval check --seed commit",
    "ntval check montanari_zhong --profile standard",
}

ELSEWHERE = "a step of its own of this script does it"
CHECKOUT = "of a checkout, whose tests CI runs"
NOT_RUN = {
    "pip install uv && ntval check": "minutes; the last step with --whole",
    "pip install uv && uv run make check": "CI itself",
    "make check": "CI itself",
    "make nightly": "hours",
    "uv build": ELSEWHERE,
    "pip install wheels/ntval-0.1.0-py3-none-any.whl": ELSEWHERE,
    "pip install --no-deps neural-tangents==0.6.5": ELSEWHERE,
    "pip install matplotlib": ELSEWHERE,
    "uv sync": ELSEWHERE,
    'pip install uv && uv sync && echo "$PWD/.venv/bin" >> "$GITHUB_PATH"': ELSEWHERE,
    "pip install . wheels/ntval-0.1.0-py3-none-any.whl": ELSEWHERE,
    "pip install ../.. pytest flax equinox": ELSEWHERE,
    "pytest": ELSEWHERE,
    "uv run --group test pytest": ELSEWHERE,
    "pytest -s property_tests/claims/test_confusion.py": CHECKOUT,
    "ntval run montanari_zhong/...": "the head of a table; tests run every experiment",
    "ntval run bombari_amani_mondelli/...": "the head of a table",
    "ntval run wei_hu_steinhardt/...": "the head of a table",
    "ntval fetch": "downloads 106 MB",
}


def meant(command: str, *, whole: bool) -> str:
    """What is run for a command of a page."""
    command = MEANT.get(command, command)
    if whole and command not in HOURS:
        return command
    return SHORT.get(command, "...").replace("...", command)
