"""Build the sdist and the wheel of the last commit, check what is in them, and try each in an
environment of its own. Nothing is uploaded, and the working tree stays as it is.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Collection
from pathlib import Path

from spacy_bertreg.cli.terminal import make_printing_safe

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "spacy_bertreg"
# In the sdist beside the package; the rest there is what setuptools writes.
BESIDE = ("CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "pyproject.toml", "setup.cfg")
GENERATED = ("PKG-INFO", "MANIFEST.in", "spacy_bertreg.egg-info/")
INSTALLED = """
import pathlib, sys
from importlib.metadata import distribution
import spacy_bertreg

here = pathlib.Path(spacy_bertreg.__file__)
assert here.is_relative_to(sys.prefix), f"{here} is not in {sys.prefix}"
found = distribution("spacy-bertreg")
assert found.version == spacy_bertreg.__version__
for point in found.entry_points:
    point.load()
print(f"Python {sys.version.split()[0]}: {len(found.entry_points)} entry points load")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="folder to copy both files to if all is well")
    parser.add_argument(
        "--python",
        action="append",
        help="interpreter to try them with, may be given several times; by default this one",
    )
    args = parser.parse_args()
    make_printing_safe()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = export(folder / "source")
        check_versions(source)
        files = {p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file()}
        built = build(source, folder)
        wheel, sdist = (next(built.glob(ending)) for ending in ("*.whl", "*.tar.gz"))
        check_wheel(wheel_names(wheel), files)
        check_sdist(sdist_names(sdist), files)
        print(f"{wheel.name} and {sdist.name} hold what they should")
        for number, python in enumerate(args.python or [sys.executable]):
            for file in (wheel, sdist):
                try_out(file, python, source, folder / f"{file.suffix[1:]}-{number}")
        if args.output is not None:
            args.output.mkdir(parents=True, exist_ok=True)
            for file in (wheel, sdist):
                shutil.copy(file, args.output)
    print("All is well. Nothing was uploaded.")


def check_versions(root: Path) -> None:
    """Check that the package, CITATION.cff and the first section of CHANGELOG.md name the same
    version.

    RAISES (SystemExit): They don't.
    """
    patterns = {
        f"{PACKAGE}/__init__.py": r'^__version__ = "(.+)"$',
        "CITATION.cff": r"^version: (\S+)$",
        "CHANGELOG.md": r"^## (\S+)",
    }
    found = {}
    for name, pattern in patterns.items():
        match = re.search(pattern, (root / name).read_text(encoding="utf-8"), re.MULTILINE)
        found[name] = match[1] if match else None
    if len(set(found.values())) > 1:
        shown = ", ".join(f"{name}: {version}" for name, version in found.items())
        raise SystemExit(f"Expected one version, and found {shown}.")


def export(folder: Path) -> Path:
    """Write the files of the last commit into a new folder, and return it."""
    changed = output("git", "-C", ROOT, "status", "--porcelain")
    if changed:
        print(f"Not committed, so not in the release:\n{changed}", file=sys.stderr)
    folder.mkdir()
    archive = folder.with_suffix(".tar")
    run("git", "-C", ROOT, "archive", "--output", archive, "HEAD")
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    return folder


def build(source: Path, folder: Path) -> Path:
    """Build the sdist, and the wheel from it, and let twine check their metadata.

    source (Path): The files of the commit.
    folder (Path): For the environment that has build and twine, and for what is built.
    RETURNS (Path): The folder with both files.
    """
    python = make_environment(sys.executable, folder / "tools", source, "build", "twine")
    built = folder / "dist"
    run(python, "-m", "build", "--outdir", built, source)
    run(python, "-m", "twine", "check", "--strict", *built.iterdir())
    return built


def wheel_names(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def sdist_names(path: Path) -> set[str]:
    """List the files of an sdist, without the folder that all are in."""
    with tarfile.open(path) as archive:
        return {file.name.partition("/")[2] for file in archive if file.isfile()}


def check_wheel(names: Collection[str], files: Collection[str]) -> None:
    """Check that a wheel holds the package, its license and metadata, and nothing else.

    names (Collection[str]): Paths in the wheel.
    files (Collection[str]): Paths in the repository.
    RAISES (SystemExit): Files are missing, or should not be there.
    """
    expected = {name for name in files if name.startswith(f"{PACKAGE}/")}
    in_package = {name for name in names if ".dist-info/" not in name}
    compare("the wheel", in_package, expected)
    metadata = {name.partition(".dist-info/")[2] for name in names} - {""}
    required = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    compare("the wheel's metadata", metadata - {"top_level.txt"}, required)


def check_sdist(names: Collection[str], files: Collection[str]) -> None:
    """Check that an sdist holds the package and what it is built with, and nothing else.

    names (Collection[str]): Paths in the sdist, below its one folder.
    files (Collection[str]): Paths in the repository.
    RAISES (SystemExit): Files are missing, or should not be there.
    """
    expected = {name for name in files if name.startswith(f"{PACKAGE}/")} | set(BESIDE)
    compare("the sdist", {name for name in names if not name.startswith(GENERATED)}, expected)


def compare(what: str, found: Collection[str], expected: Collection[str]) -> None:
    """Raise a SystemExit that names the files of which one list has more than the other."""
    missing, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or extra:
        raise SystemExit(f"In {what}, missing: {missing}; not expected: {extra}.")


def try_out(file: Path, python: str, source: Path, folder: Path) -> None:
    """Install a file in an environment of its own, and use it as a user would: from a table to a
    project, a trained BERT and a scored table, in an empty folder and without a network.

    file (Path): The wheel or the sdist.
    python (str): Interpreter of the environment.
    source (Path): The repository's files, for the sample, the constraints and the tiny BERT.
    folder (Path): New folder for the environment and the results.
    """
    print(f"Trying {file.name} with {python}")
    own = make_environment(python, folder / "environment", source, file)
    work = folder / "empty"
    work.mkdir()
    table, bert = source / "corpus" / "briefings.csv", folder / "tiny-bert"
    run(own, "-c", INSTALLED, cwd=work)
    run(own, "-m", "spacy", "info", cwd=work)
    run(own, source / "scripts" / "make_tiny_bert.py", table, bert, cwd=work)
    bertreg = (own, "-m", "spacy", "bertreg")
    columns = ("--target", "severity", "--id", "id", "--group", "region")
    options = ("--transformer", bert, "--no-time-it")
    run(*bertreg, "init", table, "mine", *columns, *options, cwd=work)
    mine = work / "mine"
    run(own, "-m", "spacy", "project", "run", "convert", cwd=mine)
    training = ("--data", "corpus/briefings", "--epochs", 1, "--paths.transformer", bert)
    run(*bertreg, "train", "configs/bert.cfg", "training/full", *training, cwd=mine)
    run(*bertreg, "score", "training/full/model-best", table, "scored.csv", cwd=mine)
    scored = (mine / "scored.csv").read_text(encoding="utf-8").splitlines()
    rows = len(table.read_text(encoding="utf-8").splitlines())
    if len(scored) != rows or "severity_predicted" not in scored[0]:
        raise SystemExit(f"{file.name} scored {len(scored) - 1} rows. Expected {rows - 1}.")
    shutil.rmtree(folder)


def make_environment(python: str, folder: Path, source: Path, *packages: str | Path) -> Path:
    """Make a virtual environment with packages, in the tested versions; return its interpreter."""
    run(python, "-m", "venv", folder)
    own = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    constraints = source / "constraints.txt"
    run(own, "-m", "pip", "install", "--quiet", "--constraint", constraints, *packages)
    return own


def run(*command: object, cwd: Path | None = None) -> None:
    """Run a command that sees nothing of this process's packages.

    RAISES (SystemExit): It failed.
    """
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=environment())
    if done.returncode:
        raise SystemExit(f"Failed with {done.returncode}: {' '.join(words)}")


def output(*command: object) -> str:
    """Run a command, and return what it prints."""
    words = [str(word) for word in command]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return done.stdout.rstrip()


def environment() -> dict[str, str]:
    hidden = ("PYTHON", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return kept | {"PYTHONNOUSERSITE": "1", "HF_HUB_OFFLINE": "1"}


if __name__ == "__main__":
    main()
