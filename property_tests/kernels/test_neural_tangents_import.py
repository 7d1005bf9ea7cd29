"""Importing neural-tangents leaves JAX as it was, and says what cannot work together."""

import json
import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest


def _python(code):
    """Exit status and output of a fresh interpreter in which every warning is an error."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, done.stdout + done.stderr


def test_import_leaves_jax_as_it_was_and_no_tensorflow():
    status, output = _python(
        """
        import sys, warnings
        import jax, jax.extend.core
        from jax.interpreters import ad

        modules = (jax, jax.core, ad, jax.extend.core, jax.numpy)
        def state():
            return [dict(vars(module)) for module in modules], sys.modules.get("jax.util")
        flags = dict(jax.config.values)
        before = state()
        import ntval.kernels._neural_tangents as adapted

        after = state()
        for module, old, new in zip(modules, before[0], after[0]):
            # Submodules that others import become attributes; nothing changes or goes.
            added = new.keys() - old.keys()
            added = {n for n in added if f"{module.__name__}.{n}" not in sys.modules}
            assert not added, (module, added)
            assert all(new[name] is old[name] for name in old), module
        assert before[1] is after[1]
        assert flags == dict(jax.config.values)
        assert "tensorflow" not in sys.modules and "tf2jax" not in sys.modules
        assert adapted.STRUCTURED_DERIVATIVES_NEEDS == ()
        assert sys.modules["neural_tangents.experimental"].__doc__.startswith("Left out by ntval")
        """
    )
    assert status == 0, output


@pytest.mark.parametrize(
    ("simulate", "sentences"),
    [
        (
            "metadata.version = lambda name: '0.6.1'",
            ("need neural-tangents 0.6.5", "got neural-tangents 0.6.1, jax ", "pip install"),
        ),
        (
            "metadata.version = lambda name: metadata.distribution('no such ' + name)",
            ("need neural-tangents 0.6.5", "which is not installed", "pip install"),
        ),
        ("jax.__version__ = '0.4.30'", ("need jax >= 0.4.36", "jax 0.4.30", "pip install")),
        ("del jax.core.ShapedArray", ("failed with", "ShapedArray", 'Install "jax<=')),
    ],
    ids=["other release", "not installed", "old jax", "name gone"],
)
def test_unusable_versions_are_named_with_a_way_out(simulate, sentences):
    status, output = _python(
        f"""
import sys
import jax, jax.core
from importlib import metadata
former = set(vars(jax.core))
{simulate}
from ntval.errors import CompatibilityError
try:
    import ntval.kernels._neural_tangents
except CompatibilityError as error:
    print(error)
assert not any(name.startswith("neural_tangents") for name in sys.modules)
assert set(vars(jax.core)) <= former
"""
    )
    assert status == 0, output
    for sentence in sentences:
        assert sentence in output


def test_newer_jax_than_tested_is_said_by_a_warning():
    status, output = _python(
        """
        import warnings
        import jax

        jax.__version__ = "99.0.0"
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            import ntval.kernels._neural_tangents
        print(*(w.message for w in caught))
        """
    )
    assert status == 0, output
    assert "got jax 99.0.0" in output


def test_jax_without_what_implementation_3_needs_loses_only_that():
    status, output = _python(
        """
        import jax, numpy as np
        from jax.interpreters import ad

        del ad.UndefinedPrimal
        from ntval.errors import CompatibilityError
        from ntval.kernels._neural_tangents import nt

        x, w = np.ones((2, 3)), np.ones((3, 1))
        ntk = nt.empirical_ntk_fn(lambda w, x: x @ w, implementation=2)(x, None, w)
        assert np.allclose(ntk, 3.0)
        for implementation in (0, 3):
            try:
                nt.empirical_ntk_fn(lambda w, x: x @ w, implementation=implementation)
            except CompatibilityError as error:
                print(error)
        """
    )
    assert status == 0, output
    assert output.count("UndefinedPrimal") == 2
    assert "use implementation 1 or 2" in output


if __name__ == "__main__":
    import types

    jax.config.update("jax_enable_x64", True)
    sys.modules["neural_tangents.experimental"] = types.ModuleType("experimental")
    import neural_tangents

    made = {k: np.asarray(v).round(17) for k, v in golden_arrays(neural_tangents).items()}
    lines = [f" {json.dumps(name)}: {json.dumps(value.tolist())}" for name, value in made.items()]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(made)} arrays, {GOLDEN.stat().st_size} bytes, jax {jax.__version__}")
