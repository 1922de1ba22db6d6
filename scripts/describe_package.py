"""Write the README and meta.json with which a trained pipeline is packaged."""

import argparse
import json
from pathlib import Path

from choose_precision import describe

from spacy_bertreg.covariates import LOG_LENGTH

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
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pipeline", type=Path, help="folder of the trained pipeline")
    parser.add_argument("metrics", type=Path, help="what `spacy evaluate` wrote on the test set")
    parser.add_argument("packages", type=Path, help="folder that `spacy package` writes to")
    parser.add_argument("--name", required=True, help="name without the language")
    parser.add_argument("--version", required=True)
    args = parser.parse_args()

    import spacy

    import spacy_bertreg

    meta = json.loads((args.pipeline / "meta.json").read_text(encoding="utf-8"))
    metrics = json.loads(args.metrics.read_text(encoding="utf-8"))
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
        covariates=covariates_of(config),
        precision=f"\n{describe(meta['precision'])}\n" if "precision" in meta else "",
        transformer=config["components"]["transformer"]["model"]["name"],
        freeze=json.dumps(learned["freeze"]),
        trainable=learned["trainable"],
        parameters=learned["parameters"],
        max_steps=config["training"]["max_steps"],
        seed=config["training"]["seed"],
    )
    folder = args.packages / f"{meta['lang']}_{args.name}-{args.version}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(readme, encoding="utf-8")
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    print(f"Described {folder.name}: {', '.join(targets)}")


def covariates_of(config: dict) -> str:
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
    names = ("r2", "mse", "rmse", "mae", "pearson", "spearman")
    cells = ["–" if scores[name] is None else f"{scores[name]:.3f}" for name in names]
    return f"| {target} | {scores['n']} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
