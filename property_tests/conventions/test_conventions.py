"""Rules about the repository itself."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ntval.claims.catalogue import CLAIMS, find
from ntval.claims.domain import ENOUGH
from ntval.faults.catalogue import FAULTS, shown_by_points
from ntval.reports import theorems

ROOT = Path(__file__).parent.parent.parent
THEORY = sorted((ROOT / "ntval" / "theory").rglob("[!_]*.py"))
MODULES = sorted((ROOT / "ntval").rglob("*.py"))


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_one_word_names_the_claim_its_test_and_its_faults(claim):
    parts = theorems.of(claim)
    assert {"claim", "test", "faults"} <= set(parts), parts
    module, _, word = claim.name.partition(".")
    home = sys.modules[f"ntval.claims.{module}"]
    assert getattr(home, word) is claim
    assert word in parts["test"]


@pytest.mark.parametrize(
    ("word", "formula"),
    [
        ("min_eigenvalue", "theory/montanari_zhong/min_eigenvalue.py"),
        ("normalization", "`diagonal`"),
        ("kernel_structure", "`residual_norm`"),
        ("few_samples", "`expected_min_eigenvalue`"),
        ("hermite_energies", "`energies`"),
        ("min_eigenvalue_bound", "`min_eigenvalue_bound`"),
    ],
)
def test_a_formula_is_found_whatever_it_is_called(word, formula):
    assert formula in theorems.of(CLAIMS[f"montanari_zhong.{word}"])["formula"]


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_every_claim_has_three_planted_faults_that_exist(claim):
    assert len(set(shown_by_points(claim))) >= 3
    assert set(claim.faults) <= set(FAULTS)


def test_every_planted_fault_is_some_claim_s_to_refute():
    claims = CLAIMS.values()
    listed = {fault for claim in claims for fault in claim.faults}
    assert set(FAULTS) == listed


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_every_claim_says_what_it_claims_and_from_where(claim):
    assert claim.statement.endswith(".")
    assert len(claim.source) > 20
    assert {"quick", "standard", "thorough"} == set(claim.points)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_every_claim_has_a_domain_that_holds_the_points_of_its_profiles(claim):
    outside = [claim.domain.why_not(point) for points in claim.points.values() for point in points]
    assert set(outside) == {None}
    assert claim.domain.num_points >= ENOUGH or claim.domain.narrow


@pytest.mark.parametrize("row", [f"E{number:02}" for number in range(1, 28)])
def test_every_row_of_the_spec_of_montanari_zhong_is_some_claim_s(row):
    assert find(row, CLAIMS)


@pytest.mark.parametrize("path", THEORY, ids=lambda path: path.stem)
def test_every_theory_function_names_its_source(path):
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            text = ast.get_docstring(node) or ""
            assert "Source:" in text, f"{path.name}: {node.name}"
            assert any(tag in text for tag in ("read", "derived", "recalled", "measured")), (
                node.name
            )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_public_function_has_a_docstring(path):
    for node in ast.parse(path.read_text()).body:
        public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        assert not public or ast.get_docstring(node), f"{path.name}: {node.name}"


EVERY_FILE = [
    *(ROOT / "ntval").rglob("*.py"),
    *(ROOT / "property_tests").rglob("*.py"),
    *(ROOT / "experiments").rglob("*.py"),
    ROOT / "_ntval_pytest_plugin.py",
    ROOT / "conftest.py",
]


@pytest.mark.parametrize("path", EVERY_FILE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_has_more_than_400_lines(path):
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize(("name", "text"), theorems.pages().items())
def test_the_page_of_a_paper_is_up_to_date(name, text):
    assert (ROOT / "docs" / "theorems" / name).read_text() == text


def test_the_pages_have_every_claim():
    headings = re.findall(r"^## (\w+)$", "\n".join(theorems.pages().values()), re.MULTILINE)
    assert headings == [name.partition(".")[2] for name in CLAIMS]


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.strip()


def test_importing_ntval_imports_nothing_heavy():
    heavy = "{'jax', 'numpy', 'scipy', 'neural_tangents', 'tensorflow', 'hypothesis', 'pytest'}"
    assert run(f"import sys, ntval; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_tensorflow_is_never_imported():
    code = (
        "import sys, ntval.faults.catalogue, ntval.front.cli.app; from ntval import CLAIMS, stax; "
        "print([m for m in sys.modules if m.partition('.')[0] in ('tensorflow', 'tf2jax')])"
    )
    assert run(code) == "[]"


def test_importing_claims_leaves_the_x64_flag_alone():
    assert run("import ntval.claims.catalogue, jax; print(jax.config.jax_enable_x64)") == "False"


def test_importing_claims_leaves_scikit_learn_alone():
    code = "import sys, ntval.front.cli.app, ntval.runs.suite; print('sklearn' in sys.modules)"
    assert run(code) == "False"


def public_functions(path):
    """Names and nodes of a module's public functions, and of its public classes' methods."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not is_private(method.name):
                    yield f"{node.name}.{method.name}", method
        elif isinstance(node, ast.FunctionDef) and not is_private(node.name):
            yield node.name, node


def is_private(name):
    return name.startswith("_") and not name.endswith("__")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_public_function_says_the_types_of_all_that_goes_in_and_out(path):
    for name, node in public_functions(path):
        of = node.args
        asked = [*of.posonlyargs, *of.args, *of.kwonlyargs, *filter(None, [of.vararg, of.kwarg])]
        silent = [a.arg for a in asked if a.annotation is None and a.arg not in ("self", "cls")]
        assert not silent, f"{path.name}: {name} says no type of {', '.join(silent)}"
        assert node.returns, f"{path.name}: {name} says no type of what it returns"


def test_the_claim_shown_to_contributors_is_the_code():
    (shown,) = re.findall(
        r"```python\n(.*?)\n```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL
    )
    code = (ROOT / "ntval/claims/montanari_zhong/min_eigenvalue.py").read_text()
    assert len(shown.splitlines()) <= 40
    assert all(part in code for part in shown.split("\n\n\n"))
