"""reporting.md: what a publication should report, filled in as far as a comparison knows it."""

import json
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

import numpy as np

from .compare import Comparison
from .models import LINE, MEAN, Model, Run
from .tables import describe_intervals, markdown_table, metric_table, run_table
from .verdict import plural

PACKAGES = ("spacy-bertreg", "spacy", "spacy-transformers", "transformers", "torch", "scikit-learn")
# What only the authors know. docs/reporting.md names the source of each question.
CONCEPT = (
    "What is measured, and how it shows in a text",
    "Where the texts are from, and which texts they stand for",
    "The unit that is scored (sentence, document, ...), and why",
    "How the texts were preprocessed, and why",
)
VALUES = (
    "Who rated the texts, by which instructions, and how they were trained; or where else the "
    "observed values are from",
    "How far raters agree",
)
DECISIONS = (
    "How texts were divided into training, development and test set, and when the test set was "
    "first looked at",
    "Why these models, and how their settings were chosen; which others were tried",
)
VALIDATION = (
    "Whether the strongest words fit the concept (`lexicon`, `explain`)",
    "How predictions are distributed, and how their means differ between known groups",
    "What the texts with the highest and lowest predictions, and with the largest errors, say",
    "How errors differ between known groups of texts, such as sources and periods",
    "How predictions correlate with other measures of the same concept",
    "Which results change with other seeds, settings, models or preprocessing",
    "Where training data, code and the trained pipeline can be obtained",
)


def reporting(comparison: Comparison) -> str:
    """Write what a publication should report: what is known from the pipelines' meta.json and
    configs and from the test set, and questions for the rest.

    comparison (Comparison): What `compare` gave.
    RETURNS (str): Markdown.
    """
    shown = [model for model in comparison.models if model.kind != "baseline"]
    verdicts = [str(sentence) for sentence in comparison.verdicts["sentence"]]
    runs = run_table(comparison)
    parts = [
        "# What to report",
        "Lines that begin with a box are for you to fill in; the rest was found by `bertreg "
        "compare`.",
        "## Concept and texts",
        _questions(CONCEPT),
        "## Observed values",
        _questions(VALUES),
        "## Data",
        _list(_describe_data(comparison)),
        _questions(DECISIONS),
        "## Models",
        *(part for model in shown for part in (f"### {model.name}", _list(describe_model(model)))),
        "## Results",
        *verdicts,
        markdown_table(metric_table(comparison)),
        *([markdown_table(runs)] if len(runs) else []),
        describe_intervals(comparison),
        f"`{MEAN}` and `{LINE}` are baselines that know next to nothing: the mean of the training "
        "set, and a line fitted to the logarithm of a document's number of words.",
        *(f"Warning: {warning}" for warning in comparison.warnings),
        "## Validation",
        _questions(VALIDATION),
        "## Software",
        _list(_software()),
    ]
    return "\n\n".join(parts) + "\n"


def _questions(questions: Iterable[str]) -> str:
    return "\n".join(f"- [ ] {question}: …" for question in questions)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _describe_data(comparison: Comparison) -> Iterable[str]:
    test, settings = comparison.test, comparison.settings
    if crossval := settings.get("crossval"):
        yield (
            f"Cross-validation of `{test.path}`: {crossval['k']} folds by {crossval['by']}, "
            f"repeats: {crossval['repeats']}. Each document was predicted by models that had not "
            "learned from it."
        )
    else:
        yield f"Test set: `{test.path}`. Training set of the baselines: `{settings['train']}`."
    sizes = comparison.metrics.drop_duplicates("target").set_index("target")
    for target, gold in test.gold.items():
        if target not in sizes.index:
            continue
        n, n_groups = sizes.loc[target, "n"], sizes.loc[target, "n_groups"]
        values = gold.dropna()
        unit = plural(test.unit)
        groups = "" if n == n_groups else f" ({n_groups:,} {unit})"
        yield (
            f"`{target}`: known for {n:,} documents{groups}, mean {values.mean():.3f}, standard "
            f"deviation {values.std(ddof=1):.3f}, from {values.min():.3f} to {values.max():.3f}."
        )
    words = np.percentile(test.lengths, [50, 95])
    yield f"Words of a document: median {words[0]:,.0f}, 95th percentile {words[1]:,.0f}."


def describe_model(model: Model) -> list[str]:
    """Describe how a model was trained.

    model (Model): The model, with the facts of its runs.
    RETURNS (list[str]): Sentences in Markdown.
    """
    trained = [run for run in model.runs if run.facts]
    if not trained:
        return [
            f"Predictions of another program or of a cross-validation: `{path}`. How they were "
            "made: …"
            for path in dict.fromkeys(run.path for run in model.runs)
        ]
    facts = trained[0].facts
    lines = []
    if transformer := facts.get("transformer"):
        lines.append(_describe_transformer(transformer))
    # Several regressors of one pipeline are models of their own: NAME:COMPONENT.
    own = model.name.rpartition(":")[2]
    regressors = facts["regressors"]
    for name in [own] if own in regressors else list(regressors):
        lines += _describe_regressor(regressors[name])
    lines.append(_describe_training(trained))
    lines.append(f"All settings: `{trained[0].path}/config.cfg`.")
    return lines


def _describe_transformer(transformer: dict[str, Any]) -> str:
    lora = "".join(f", LoRA of rank {rank}" for rank in transformer["lora"])
    freeze = json.dumps(transformer["freeze"], ensure_ascii=False)
    return (
        f"Transformer `{transformer['name']}`, `freeze = {freeze}`{lora}: "
        f"{transformer['learned']:,} of {transformer['parameters']:,} parameters learned."
    )


def _describe_regressor(regressor: dict[str, Any]) -> Iterable[str]:
    settings = [f"`{key} = {_write(value)}`" for key, value in regressor["settings"].items()]
    yield f"`{regressor['factory']}` with {', '.join(settings) or 'its defaults'}."
    texts = regressor["texts"]
    yield (
        "The number of texts that it learned from is not in the pipeline: …"
        if texts is None
        else f"It learned from {texts:,} different texts."
    )
    intervals = regressor["intervals"]
    if intervals is None:
        yield "It gives no prediction intervals."
    else:
        n = ", ".join(f"{n:,} for `{target}`" for target, n in intervals["n"].items())
        yield (
            f"Prediction intervals: conformal, `{intervals['method']}`, level "
            f"{intervals['level']:.0%}, calibrated on documents: {n}."
        )


def _describe_training(runs: list[Run]) -> str:
    seeds = ", ".join(str(run.facts["seed"]) for run in runs)
    steps = runs[0].facts["max_steps"]
    parts = [f"Trainings: {len(runs)}, with seed{'s' * (len(runs) > 1)} {seeds}"]
    regressors = runs[0].facts["regressors"].values()
    learns_by_steps = any(found["factory"] == "text_regressor" for found in regressors)
    if steps and steps > 1 and learns_by_steps:
        parts.append(f"at most {steps:,} steps")
    seconds = [run.facts["seconds"] for run in runs if run.facts["seconds"] is not None]
    if seconds:
        parts.append(f"{np.mean(seconds):,.0f} s each, on (processor or GPU): …")
    return "; ".join(parts)


def _write(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _software() -> Iterable[str]:
    yield f"Python {python_version()}, at the comparison"
    for name in PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
