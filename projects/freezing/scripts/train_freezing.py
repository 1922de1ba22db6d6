"""Train the BERT once for each amount of freezing and each seed, and score it on the test set.

What is there already, from the same config, texts and transformer, is not trained again, so a run
that was stopped goes on where it stopped. Other options, as --training.max_steps, override the
config.
"""

import argparse
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from spacy.cli._util import parse_config_overrides
from spacy.cli.evaluate import evaluate
from spacy.cli.train import train
from transformers import AutoConfig

from spacy_bertreg.cli.terminal import make_printing_safe
from spacy_bertreg.data.files import check_folder, write_whole

# What learns, from least to most: the value of `freeze` as a function of the number of blocks.
LEVELS = {
    "head only": lambda n: "all",
    "biases (BitFit)": lambda n: ["*.weight"],
    "LoRA": lambda n: "all",
    "top 1 block": lambda n: n - 1,
    "top 2 blocks": lambda n: n - 2,
    "top 4 blocks": lambda n: n - 4,
    "all but embeddings": lambda n: "embeddings",
    "all": lambda n: "none",
}
# What else a level has of its own; other settings are the config's. A head alone is better on
# vectors of one length (docs/recipes.md), and few parameters take a higher rate (docs/freezing.md).
MORE: dict[str, dict[str, Any]] = {
    "head only": {"components.text_regressor.model.tok2vec.normalize": True},
    "biases (BitFit)": {"training.optimizer.encoder_rate": 0.003},
    "LoRA": {
        "components.transformer.model.lora": {"rank": 8, "alpha": 16},
        "training.optimizer.encoder_rate": 0.001,
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("corpus", type=Path, help="folder of train, dev and test.spacy")
    parser.add_argument("output", type=Path, help="folder for the pipelines")
    parser.add_argument("metrics", type=Path, help="folder for the scores")
    parser.add_argument("--transformer", required=True)
    parser.add_argument("--seeds", required=True, help="numbers, between commas")
    parser.add_argument("--gpu-id", type=int, default=-1)
    args, settings = parser.parse_known_args()
    make_printing_safe()
    try:
        for folder in (args.output, args.metrics):
            check_folder(folder, [args.config, args.corpus])
    except ValueError as error:
        parser.error(str(error))

    n_blocks = AutoConfig.from_pretrained(args.transformer).num_hidden_layers
    inputs = fingerprint(args, settings)
    common = parse_config_overrides(settings) | {
        "paths.transformer": args.transformer,
        "paths.train": str(args.corpus / "train.spacy"),
        "paths.dev": str(args.corpus / "dev.spacy"),
    }
    for seed in args.seeds.split(","):
        for level, get_freeze in LEVELS.items():
            freeze = get_freeze(n_blocks)
            name = f"{re.sub('[^A-Za-z0-9]+', '-', level).strip('-')}-seed-{seed}"
            path = args.metrics / f"{name}.json"
            is_done = path.is_file() and read_json(path)["inputs"] == inputs
            if is_done or (isinstance(freeze, int) and freeze < 0):
                continue
            print(f"\nSeed {seed}, {level}: freeze = {freeze!r}", flush=True)
            choice = {"components.transformer.model.freeze": freeze, "system.seed": int(seed)}
            overrides = MORE.get(level, {}) | common | choice
            train(args.config, args.output / name, use_gpu=args.gpu_id, overrides=overrides)
            best = args.output / name / "model-best"
            scores = evaluate(str(best), args.corpus / "test.spacy", use_gpu=args.gpu_id)
            trained = read_json(best / "meta.json")["freeze_report"]["trainable"]
            scores |= {"level": level, "seed": int(seed), "trained": trained, "inputs": inputs}
            write_whole({path: (json.dumps(scores, indent=2) + "\n").encode()})


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def fingerprint(args: argparse.Namespace, settings: list[str]) -> str:
    """Hash what the runs start from."""
    files = [args.config, *(args.corpus / f"{name}.spacy" for name in ("train", "dev", "test"))]
    content = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(content + f"{args.transformer} {settings}".encode()).hexdigest()


if __name__ == "__main__":
    main()
