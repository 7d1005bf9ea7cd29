"""Experiments: found by name, keyed by what determines them, summed up with intervals."""

import jax
import numpy as np
import pytest
import scipy.stats

from ntval.errors import InputError, UnknownNameError
from ntval.kernels import quadrature_oracle
from ntval.regimes import Regime
from ntval.runs import experiments

NAMES = experiments.names()


@pytest.mark.parametrize("name", NAMES)
def test_experiment_is_found_by_its_name_its_path_and_its_word(name):
    found = experiments.find(name)
    assert found is experiments.find(name.replace(".", "/"))
    word = name.rpartition(".")[2]
    if sum(other.endswith(f".{word}") for other in NAMES) == 1:
        assert found is experiments.find(word)
    else:
        with pytest.raises(InputError, match="name the paper"):
            experiments.find(word)
    assert set(found.grids) == set(experiments.GRIDS)


@pytest.mark.parametrize("name", NAMES)
def test_cells_of_a_grid_are_distinct_and_change_with_the_seed(name):
    found = experiments.find(name)
    for grid in experiments.GRIDS:
        cells = experiments.cells(found, grid=grid, seed=0)
        others = experiments.cells(found, grid=grid, seed=1)
        words = {tuple(jax.random.key_data(experiments.key_for(c)).tolist()) for c in cells}
        words |= {tuple(jax.random.key_data(experiments.key_for(c)).tolist()) for c in others}
        assert len(words) == 2 * len(cells)


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"did you mean 'montanari_zhong\.phase_diagram'"):
        experiments.find("phase_diagrm")
    with pytest.raises(UnknownNameError, match="did you mean 'smoke'"):
        experiments.cells(experiments.find("phase_diagram"), grid="smok", seed=0)


def test_package_without_experiments_says_where_to_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiments, "__file__", str(tmp_path / "ntval" / "experiments.py"))
    with pytest.raises(InputError, match="run it in a checkout"):
        experiments.directory()


def test_experiment_named_other_than_its_file_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "experiments" / "misnamed"
    folder.mkdir(parents=True)
    (folder / "here.py").write_text("EXPERIMENT = 3\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"needs EXPERIMENT = Experiment\(name='misnamed.here'"):
        experiments.find("here")


@pytest.mark.parametrize("draws", [2, 5, 30])
def test_interval_of_the_mean_is_student_s(draws):
    sample = np.random.default_rng(draws).normal(3.0, 2.0, draws)
    mean, low, high = experiments.mean_interval(sample)
    expected = scipy.stats.t.interval(
        0.95, draws - 1, loc=sample.mean(), scale=scipy.stats.sem(sample)
    )
    np.testing.assert_allclose([mean, low, high], [sample.mean(), *expected], rtol=1e-12)


def test_quartiles_are_the_median_and_those_around_it():
    assert experiments.quartiles(np.arange(5.0)) == (2.0, 1.0, 3.0)


@pytest.mark.parametrize("activation", ["tanh", "gelu", "relu", "leaky_relu"])
def test_infinite_width_kernel_of_experiments_is_that_of_the_quadrature(activation):
    experiments.find("concentration")  # makes the folder importable
    from experiments.montanari_zhong import setting

    regime = Regime(n=6, d=12, widths=(1,), activation=activation)
    x, x2 = (setting.inputs(jax.random.key(seed), 6, 12) for seed in (0, 1))
    mlp = setting.mlp_of(regime)
    for first, second in ((x, None), (x, x2)):
        found = setting.infinite_width(regime, first, second)
        exact = np.asarray(quadrature_oracle.ntk(mlp, first, second))
        np.testing.assert_allclose(found, exact, atol=1e-12)
