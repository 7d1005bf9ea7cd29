"""Runs commands of ntval and scripts, each in a fork of a process that has imported what they need.

Reads a JSON list of words a line, writes the exit status a line; what was printed is in the file
that the one argument names.
Six to twelve seconds of imports a command are saved, and nothing else is shared: no computation has
begun.
"""

from __future__ import annotations

import json
import os
import runpy
import sys

import flax.linen  # noqa: F401
import matplotlib.pyplot  # noqa: F401
import sklearn.datasets  # noqa: F401

import ntval.claims.catalogue
import ntval.kernels._neural_tangents  # noqa: F401
from ntval.front.cli import app

for line in sys.stdin:
    words = json.loads(line)
    child = os.fork()
    if not child:
        printed = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream, number in ((os.open(os.devnull, os.O_RDONLY), 0), (printed, 1), (printed, 2)):
            os.dup2(stream, number)
        if words[0] == "ntval":
            sys.argv = words
            app.main()
        else:
            sys.path[0] = ""
            runpy.run_path(words[1], run_name="__main__")
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
