"""Train the BERT once for each amount of freezing and each seed, and score it on the test set.

What is there already, from the same config, texts and transformer, is not trained again, so a run
that was stopped goes on where it stopped.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from spacy_bertreg.data.files import check_folder, write_whole

# What learns, from least to most: the value of `freeze` as a function of the number of blocks.
LEVELS = {
    "head only": lambda n: "all",
    "top 1 block": lambda n: n - 1,
    "top 2 blocks": lambda n: n - 2,
    "top 4 blocks": lambda n: n - 4,
    "all but embeddings": lambda n: "embeddings",
    "all": lambda n: "none",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("corpus", type=Path, help="folder of train, dev and test.spacy")
    parser.add_argument("output", type=Path, help="folder for the pipelines")
    parser.add_argument("metrics", type=Path, help="folder for the scores")
    parser.add_argument("--transformer", required=True)
    parser.add_argument("--seeds", required=True, help="numbers, between commas")
    parser.add_argument("--max-steps", default="552")
    parser.add_argument("--gpu-id", default="-1")
    args = parser.parse_args()
    try:
        for folder in (args.output, args.metrics):
            check_folder(folder, [args.config, args.corpus])
    except ValueError as error:
        parser.error(str(error))

    from transformers import AutoConfig

    n_blocks = AutoConfig.from_pretrained(args.transformer).num_hidden_layers
    inputs = fingerprint(args)
    for seed in args.seeds.split(","):
        for level, freeze in LEVELS.items():
            name = f"{level.replace(' ', '-')}-seed-{seed}"
            scores = args.metrics / f"{name}.json"
            if scores.is_file() and json.loads(scores.read_text())["inputs"] == inputs:
                continue
            value = freeze(n_blocks)
            if isinstance(value, int) and value < 0:
                continue
            result = train_and_score(args, name, str(value), seed)
            meta = json.loads((args.output / name / "model-best" / "meta.json").read_text())
            trained = meta["freeze_report"]["trainable"]
            result.update(level=level, seed=int(seed), trained=trained, inputs=inputs)
            write_whole({scores: (json.dumps(result, indent=2) + "\n").encode()})


def fingerprint(args: argparse.Namespace) -> str:
    """RETURNS (str): Hash of what the runs start from."""
    files = [args.config, *(args.corpus / f"{name}.spacy" for name in ("train", "dev", "test"))]
    content = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(content + f"{args.transformer} {args.max_steps}".encode()).hexdigest()


def train_and_score(args: argparse.Namespace, name: str, freeze: str, seed: str) -> dict[str, Any]:
    """args (Namespace): As `main` reads them. name (str): Of the pipeline's folder.
    freeze (str): The setting. seed (str): The seed.
    RETURNS (dict): The scores on the test set.
    """
    spacy = [sys.executable, "-m", "spacy"]
    settings = {
        "--components.transformer.model.freeze": freeze,
        "--components.transformer.model.name": args.transformer,
        "--training.max_steps": args.max_steps,
        "--paths.train": str(args.corpus / "train.spacy"),
        "--paths.dev": str(args.corpus / "dev.spacy"),
        "--system.seed": seed,
        "--gpu-id": args.gpu_id,
    }
    overrides = [word for setting in settings.items() for word in setting]
    output = args.output / name
    subprocess.run([*spacy, "train", args.config, "--output", output, *overrides], check=True)
    evaluate = ["evaluate", output / "model-best", args.corpus / "test.spacy"]
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "scores.json"
        metrics = ["--output", found, "--gpu-id", args.gpu_id]
        subprocess.run([*spacy, *evaluate, *metrics], check=True)
        return json.loads(found.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
