"""Train one pipeline a seed with `spacy train`, and keep the best on the dev set as model-best.

    python scripts/train_seeds.py configs/bert.cfg training/full --seeds 0,1 \\
        --components.transformer.model.freeze none --paths.train ...

What this script does not know is handed on to `spacy train`. OUTPUT/seed-N holds model-best,
model-last and log.jsonl of seed N, OUTPUT/model-best a copy of the best.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("output", type=Path, help="folder for the pipelines; emptied first")
    parser.add_argument("--seeds", required=True, help="whole numbers, between commas")
    args, settings = parser.parse_known_args()
    try:
        seeds = [int(seed) for seed in str(args.seeds).split(",")]
    except ValueError:
        parser.error(f"--seeds is {args.seeds!r}. Expected whole numbers, as 0,1,2.")
    if len(set(seeds)) < len(seeds) or min(seeds) < 0:
        parser.error(f"--seeds is {args.seeds!r}. Expected different numbers, 0 or more.")

    # Seeds of an earlier run would be compared with these.
    shutil.rmtree(args.output, ignore_errors=True)
    scores = {}
    for seed in seeds:
        folder = args.output / f"seed-{seed}"
        command = [sys.executable, "-m", "spacy", "train", args.config, "--output", folder]
        own = {"--system.seed": seed, "--training.logger.output_file": folder / "log.jsonl"}
        words = [str(word) for setting in own.items() for word in setting]
        print(f"\nSeed {seed}: {args.config} {' '.join(settings)}", flush=True)
        subprocess.run([*command, *words, *settings], check=True)
        meta = json.loads((folder / "model-best" / "meta.json").read_text(encoding="utf-8"))
        # A diverged training has no score.
        scores[folder] = meta["performance"].get("reg_r2") or -float("inf")
    best = max(scores, key=lambda folder: scores[folder])
    shutil.copytree(best / "model-best", args.output / "model-best")
    print(f"Best on the dev set: {best.name} (R² {scores[best]:.3f})")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"Training failed: {' '.join(map(str, error.cmd))}")
