"""What the Hugging Face hub reads of a model: YAML at the top of its README.

Format: https://github.com/huggingface/hub-docs/blob/main/modelcard.md
"""

from typing import Any

import yaml

# The hub has no task for regression on text. It lists models with one output, such as those for
# semantic textual similarity, under text classification.
TASK = "text-classification"
# By our name: the hub's (https://hf.co/metrics has all but "rmse"), and one for people.
HUB_METRICS = {
    "r2": ("r_squared", "R²"),
    "mse": ("mse", "MSE"),
    "rmse": ("rmse", "RMSE"),
    "mae": ("mae", "MAE"),
    "pearson": ("pearsonr", "Pearson correlation"),
    "spearman": ("spearmanr", "Spearman correlation"),
}


def hub_metadata(meta: dict[str, Any], metrics: dict[str, Any] | None, dataset: str) -> str:
    """Write the front matter of a README for the Hugging Face hub.

    meta (dict[str, Any]): The package's meta.json.
    metrics (dict[str, Any] | None): What `spacy evaluate` wrote on the test set.
    dataset (str): The test set's name, for people.
    RETURNS (str): YAML between two lines of `---`. Scores that are undefined are left out.
    """
    language = "multilingual" if meta["lang"] == "xx" else meta["lang"]
    front: dict[str, Any] = {
        "language": [language],
        "library_name": "spacy",
        "pipeline_tag": TASK,
        "tags": ["spacy", TASK, "text-regression"],
    }
    if meta.get("license"):
        # The hub's name, as spacy-huggingface-hub makes it: CC BY 4.0 is cc-by-4.0.
        front["license"] = meta["license"].replace(" ", "-").lower().replace("gnu-", "")
    found = [] if metrics is None else _metrics(metrics["reg_per_target"])
    if found:
        result = {
            "task": {"type": TASK, "name": "Text Regression"},
            # The type is the id of a data set on the hub; this is none of those.
            "dataset": {"type": "custom", "name": dataset, "split": "test"},
            "metrics": found,
        }
        front["model-index"] = [{"name": f"{meta['lang']}_{meta['name']}", "results": [result]}]
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n"


def _metrics(per_target: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """List the scores of all targets. Only their names tell them apart: programs that read such
    metadata join the results of one task and one data set."""
    found = []
    for target, scores in per_target.items():
        values = [(*names, scores.get(metric)) for metric, names in HUB_METRICS.items()]
        if interval := scores.get("interval"):
            level = f"{100 * interval['level']:g} %"
            values += [
                ("coverage", f"Coverage of {level} intervals", interval["coverage"]),
                ("mean_width", f"Mean width of {level} intervals", interval["mean_width"]),
            ]
        found += [
            {"type": type_, "name": f"{name} ({target})", "value": float(f"{value:.4g}")}
            for type_, name, value in values
            if value is not None
        ]
    return found
