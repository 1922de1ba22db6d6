"""The README with which a trained pipeline is packaged."""

import json
from typing import Any

import spacy_bertreg

from ..data.covariates import LOG_LENGTH
from ..evaluation.metrics import METRICS

CARD = """# {package}

A [spaCy](https://spacy.io) pipeline that predicts a number for each text: {targets}. Trained with
spacy-bertreg {version}.

```python
import spacy

nlp = spacy.load("{package}")
doc = nlp("What a lovely day.")
print(doc.cats)      # the prediction of each target
print(doc._.score)   # the prediction of the first target
```
{covariates}{scores}{precision}
## How it was trained

{training}
- {texts}
"""
SCORES = """
## Scores on the test set

| Target | Documents | R² | MSE | RMSE | MAE | Pearson | Spearman |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{rows}

Predictions and errors are in the target's own unit. The test set took no part in training.
"""
INTERVALS = """
`doc._.interval` has a prediction interval for each target. The share of values that intervals were
to hold, and the share that they hold on the test set:

| Target | Promised | Held | Mean width | Calibrated on |
| --- | ---: | ---: | ---: | ---: |
{rows}
"""
KEEPS_TEXTS = (
    "The package holds a 64-bit fingerprint of each training text, which shows anyone whether a "
    "given text was trained on."
)
FORGETS_TEXTS = (
    "The package holds no fingerprints of the training texts, which would show whether a given "
    "text was trained on."
)


def model_card(
    meta: dict[str, Any],
    config: dict[str, Any],
    targets: list[str],
    metrics: dict[str, Any] | None,
    checks: list[str],
    keeps_texts: bool,
) -> str:
    """Write the README of a package.

    meta (dict[str, Any]): The package's meta.json.
    config (dict[str, Any]): The pipeline's config, interpolated.
    targets (list[str]): What it predicts.
    metrics (dict[str, Any] | None): What `spacy evaluate` wrote on the test set.
    checks (list[str]): What was found about numbers in bfloat16, a sentence each.
    keeps_texts (bool): Whether the package holds fingerprints of the training texts.
    RETURNS (str): Markdown.
    """
    per_target = {} if metrics is None else metrics["reg_per_target"]
    rows = [_row(target, scores) for target, scores in per_target.items()]
    intervals = [
        _interval_row(target, scores["interval"])
        for target, scores in per_target.items()
        if "interval" in scores
    ]
    return CARD.format(
        package=f"{meta['lang']}_{meta['name']}",
        targets=", ".join(f"`{target}`" for target in targets),
        version=spacy_bertreg.__version__,
        covariates=_covariates(config),
        scores=_table(SCORES, rows) + _table(INTERVALS, intervals),
        precision="".join(f"\n{sentence}\n" for sentence in checks),
        training=_training(meta, config),
        texts=KEEPS_TEXTS if keeps_texts else FORGETS_TEXTS,
    )


def _training(meta: dict[str, Any], config: dict[str, Any]) -> str:
    seed, steps = config["training"]["seed"], config["training"]["max_steps"]
    how = f"At most {steps:,} steps, seed {seed}." if steps > 1 else f"Seed {seed}."
    lines = [f"- {how} `config.cfg` in the package has every setting."]
    transformer = config["components"].get("transformer", {}).get("model", {})
    if "freeze_report" in meta and "name" in transformer:
        report = meta["freeze_report"]
        lora = [f"LoRA of rank {adapters['rank']}" for adapters in report.get("lora", ())]
        lines.insert(
            0,
            f"- Transformer: `{transformer['name']}`, with `freeze = "
            f"{json.dumps(report['freeze'])}`{''.join(f' and {part}' for part in lora)}: "
            f"{report['trainable']:,} of "
            f"{report['parameters']:,} parameters\n  learned.",
        )
    return "\n".join(lines)


def _covariates(config: dict[str, Any]) -> str:
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


def _table(template: str, rows: list[str]) -> str:
    return template.format(rows="\n".join(rows)) if rows else ""


def _row(target: str, metrics: dict[str, float | None]) -> str:
    values = [metrics[name] for name in METRICS]
    cells = ["–" if value is None else f"{value:.3f}" for value in values]
    return f"| {target} | {metrics['n']} | {' | '.join(cells)} |"


def _interval_row(target: str, interval: dict[str, Any]) -> str:
    held, width = interval["coverage"], interval["mean_width"]
    cells = [
        f"{100 * interval['level']:g} %",
        "–" if held is None else f"{100 * held:.1f} %",
        "–" if width is None else f"{width:.3f}",
        f"{interval['n_calibration']:,} documents",
    ]
    return f"| {target} | {' | '.join(cells)} |"
