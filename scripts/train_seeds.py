"""Train one pipeline a seed with `spacy train`, and keep the best on the dev set as model-best.

    python scripts/train_seeds.py configs/bert.cfg training/full --seeds 0,1 \\
        --components.transformer.model.freeze none --paths.train ...

What this script does not know is handed on to `spacy train`. OUTPUT/seed-N holds model-best,
model-last and log.jsonl of seed N, OUTPUT/model-best a copy of the best. OUTPUT changes when all
are trained. train_seeds.json in it lists the files that were written: a later run replaces these,
and no others.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import spacy
from spacy.cli._util import parse_config_overrides

from spacy_bertreg.cli.terminal import make_printing_safe
from spacy_bertreg.data.files import check_folder, folder_beside, replace_files

LIST = "train_seeds.json"
# Of `spacy train`, beside settings of the config.
OPTIONS = ("--gpu-id", "--code")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("output", type=Path, help="folder for the pipelines")
    parser.add_argument("--seeds", required=True, help="whole numbers, between commas")
    for option in OPTIONS:
        parser.add_argument(option, option[1:3], help="as for spacy train")
    args, settings = parser.parse_known_args()
    make_printing_safe()
    try:
        seeds = [int(seed) for seed in str(args.seeds).split(",")]
    except ValueError:
        parser.error(f"--seeds is {args.seeds!r}. Expected whole numbers, as 0,1,2.")
    if len(set(seeds)) < len(seeds) or min(seeds) < 0:
        parser.error(f"--seeds is {args.seeds!r}. Expected different numbers, 0 or more.")
    try:
        check_config(args.config, settings)
        written = read_list(args.output)
        for option, value in ((o, getattr(args, o[2:].replace("-", "_"))) for o in OPTIONS):
            settings += [] if value is None else [option, value]
        train(args.config, args.output, seeds, settings, written)
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        sys.exit(f"Training failed: {command}\n{args.output} is as it was before.")
    except (ValueError, OSError) as error:
        sys.exit(str(error))


def check_config(path: Path, settings: list[str]) -> None:
    """Check that the config is there, and can be read with the settings of the command line.

    RAISES (ValueError, FileNotFoundError): It is missing, or no config with these settings.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected a config of spaCy.")
    try:
        overrides = parse_config_overrides(list(settings))
        spacy.util.load_config(path, overrides=overrides, interpolate=True)
    except Exception as error:  # typer's, confection's and configparser's own
        raise ValueError(f"Can't read {path} with {' '.join(settings)}: {error}") from error


def read_list(folder: Path) -> list[str]:
    """Read which files in the output folder an earlier run wrote.

    RAISES (ValueError): It holds something, and no list of such files, or is a file.
    """
    check_folder(folder)
    path = folder / LIST
    if not path.is_file():
        if folder.exists() and any(folder.iterdir()):
            raise ValueError(
                f"{folder} holds other files: it has no {LIST}, as an earlier run leaves. Expected "
                "a new or empty folder, or one of such a run."
            )
        return []
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["files"]
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in names):
            raise ValueError("it names files that are not in this folder")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not what an earlier run writes: {error!r}.") from error
    return [*names, LIST]


def train(
    config: Path, output: Path, seeds: list[int], settings: list[str], written: list[str]
) -> None:
    """Train once a seed, and move the pipelines to the output folder when all are done.

    config (Path): The config.
    output (Path): Folder for the pipelines.
    seeds (list[int]): The seeds.
    settings (list[str]): Words for `spacy train`, which override the config.
    written (list[str]): Files in `output` that may be replaced, as from `read_list`.
    RAISES (ValueError, OSError, CalledProcessError): A training failed. Nothing is changed.
    """
    place = output.resolve()
    with folder_beside(place) as temporary:
        new = temporary / "new"
        scores = {}
        for seed in seeds:
            folder = new / f"seed-{seed}"
            command = [sys.executable, "-m", "spacy", "train", str(config)]
            options = {
                "--output": folder,
                "--system.seed": seed,
                "--training.logger.output_file": folder / "log.jsonl",
            }
            words = [str(word) for option in options.items() for word in option]
            print(f"\nSeed {seed}: {config} {' '.join(settings)}", flush=True)
            subprocess.run([*command, *words, *settings], check=True)
            meta = json.loads((folder / "model-best" / "meta.json").read_text(encoding="utf-8"))
            # A diverged training has no score.
            scores[folder] = meta["performance"].get("reg_r2") or -float("inf")
            for pipeline in ("model-best", "model-last"):
                name_log(folder / pipeline / "config.cfg", output / folder.name / "log.jsonl")
        best = max(scores, key=lambda folder: scores[folder])
        shutil.copytree(best / "model-best", new / "model-best")
        files = [path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file()]
        (new / LIST).write_text(json.dumps({"files": sorted(files)}, indent=1), encoding="utf-8")
        # Seeds of an earlier run would be compared with these.
        replace_files(new, place, written)
    print(f"Best on the dev set: {best.name} (R² {scores[best]:.3f})")


def name_log(path: Path, log: Path) -> None:
    """Write into a trained pipeline's config where its log will be."""
    config = spacy.util.load_config(path)
    config["training"]["logger"]["output_file"] = str(log)
    config.to_disk(path)


if __name__ == "__main__":
    main()
