"""Write the README and meta.json with which a trained pipeline is packaged."""

import argparse
import json
import sys
from pathlib import Path

import spacy
from choose_precision import describe

import spacy_bertreg
from spacy_bertreg.cli.terminal import make_printing_safe
from spacy_bertreg.data.covariates import LOG_LENGTH
from spacy_bertreg.data.files import check_files, write_whole
from spacy_bertreg.pipeline.regressor import Regressor
from spacy_bertreg.scoring.loading import import_code

README = """# {name}

A [spaCy](https://spacy.io) pipeline that predicts a number for each text: {targets}. Trained with
spacy-bertreg {bertreg_version}.

```python
import spacy

nlp = spacy.load("{name}")
doc = nlp("What a lovely day.")
print(doc.cats)      # the prediction of each target
print(doc._.score)   # the prediction of the first target
```
{covariates}
## Scores on the test set

| Target | Documents | R² | MSE | RMSE | MAE | Pearson | Spearman |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{scores}

Predictions and errors are in the target's own unit. The test set took no part in training.
{precision}
## How it was trained

- Transformer: `{transformer}`, with `freeze = {freeze}`: {trainable:,} of {parameters:,} parameters
  learned.
- At most {max_steps} steps, seed {seed}. `config.cfg` in the package has every setting.
- {marks}
"""
MARKED = (
    "The package holds a 64-bit mark of each training text, by which anyone can ask whether a "
    "given text was trained on."
)
UNMARKED = (
    "The package holds no marks of the training texts, by which one could ask whether a given text "
    "was trained on."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pipeline", type=Path, help="folder of the trained pipeline")
    parser.add_argument("metrics", type=Path, help="what `spacy evaluate` wrote on the test set")
    parser.add_argument("packages", type=Path, help="folder that `spacy package` writes to")
    parser.add_argument("--name", required=True, help="name without the language")
    parser.add_argument("--version", required=True)
    parser.add_argument("--code", "-c", type=Path, help="Python file to import first")
    args = parser.parse_args()
    make_printing_safe()
    try:
        run(args)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(str(error))


def run(args: argparse.Namespace) -> None:
    meta = json.loads((args.pipeline / "meta.json").read_text(encoding="utf-8"))
    metrics = json.loads(args.metrics.read_text(encoding="utf-8"))
    folder = args.packages / f"{meta['lang']}_{args.name}-{args.version}"
    files = [folder / "README.md", folder / "meta.json"]
    check_files(files, [args.pipeline, args.metrics])
    config = spacy.util.load_config(args.pipeline / "config.cfg", interpolate=True)
    learned = meta["freeze_report"]
    targets = list(metrics["reg_per_target"])
    meta.update(
        name=args.name,
        version=args.version,
        description=f"Predicts {', '.join(targets)} for each text.",
        performance=metrics,
    )
    readme = README.format(
        name=f"{meta['lang']}_{args.name}",
        targets=", ".join(f"`{target}`" for target in targets),
        bertreg_version=spacy_bertreg.__version__,
        scores="\n".join(score_row(t, s) for t, s in metrics["reg_per_target"].items()),
        covariates=describe_covariates(config),
        precision=f"\n{describe(meta['precision'])}\n" if "precision" in meta else "",
        transformer=config["components"]["transformer"]["model"]["name"],
        freeze=json.dumps(learned["freeze"]),
        trainable=learned["trainable"],
        parameters=learned["parameters"],
        max_steps=config["training"]["max_steps"],
        seed=config["training"]["seed"],
        marks=MARKED if has_marks(args.pipeline, args.code) else UNMARKED,
    )
    content = json.dumps(meta, indent=2) + "\n"
    write_whole({files[0]: readme.encode("utf-8"), files[1]: content.encode("utf-8")})
    print(f"Described {folder.name}: {', '.join(targets)}")


def has_marks(pipeline: Path, code: Path | None) -> bool:
    """Tell whether a regressor of the pipeline keeps marks of its training texts."""
    import_code(code)
    components: list[object] = [part for _, part in spacy.load(pipeline).pipeline]
    return any(
        part.record.to_dict()["hashes"] for part in components if isinstance(part, Regressor)
    )


def describe_covariates(config: dict) -> str:
    """Say which covariates a document must have, or nothing if there are none."""
    names = [n for part in config["components"].values() for n in part.get("covariates", [])]
    given = [name for name in dict.fromkeys(names) if name != LOG_LENGTH]
    if not given:
        return ""
    values = ", ".join(f'"{name}": NUMBER' for name in given)
    return (
        f"\nIt expects the covariates {', '.join(f'`{name}`' for name in given)}: set "
        f'`doc.user_data["covariates"] = {{{values}}}` before the pipeline runs, None for what '
        "is unknown.\n"
    )


def score_row(target: str, scores: dict[str, float | None]) -> str:
    """Write a row of the README's table."""
    names = ("r2", "mse", "rmse", "mae", "pearson", "spearman")
    cells = ["–" if scores[name] is None else f"{scores[name]:.3f}" for name in names]
    return f"| {target} | {scores['n']} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
