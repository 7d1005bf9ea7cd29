"""The command line in this process."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def here(monkeypatch, capsys):
    """The command line in this process, which has compiled what others need: (status, out, err)."""
    from ntval.front.cli import app

    monkeypatch.chdir(HERE)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["ntval", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            app.main()
        output = capsys.readouterr()
        return SimpleNamespace(
            returncode=stopped.value.code or 0, stdout=output.out, stderr=output.err
        )

    return run
