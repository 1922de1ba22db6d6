"""What a comparison says, in sentences."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from .bootstrap import FEWEST_GROUPS
from .lead_share import describe_share
from .models import LINE, MEAN, Model

# A run below this share of its model's best R² has failed.
FAILED = 0.5
# Cameron, Gelbach & Miller 2008, Review of Economics and Statistics 90:414-427, find too narrow
# intervals below about this many clusters.
FEW_GROUPS = 30


def find_failures(runs: pd.DataFrame) -> list[str | None]:
    """Find failed trainings. Fine-tuning is known to fail with some seeds (Dodge et al. 2020,
    arXiv:2002.06305; Zhang et al. 2021, ICLR; Mosbach et al. 2021, ICLR).

    runs (DataFrame): `model`, `run` and `r2` of the runs of all models on one target.
    RETURNS (list[str | None]): For each run, why it counts as failed: its predictions are not
        finite, it is no better than the training mean, or its R² is less than half of the best run
        of its model. None if it did not fail.
    """
    mean = runs.loc[runs["model"] == MEAN, "r2"].max()
    best = runs.groupby("model")["r2"].transform("max")
    reasons: list[str | None] = []
    for model, r2, best_r2 in zip(runs["model"], runs["r2"], best, strict=True):
        reason = None
        if model not in (MEAN, LINE) and pd.notna(mean):
            if pd.isna(r2):
                reason = "its predictions are not finite"
            elif r2 <= max(mean, 0.0):
                reason = "it is no better than the training mean"
            elif r2 < FAILED * best_r2:
                reason = "its R² is less than half of its model's best run"
        reasons.append(reason)
    return reasons


def verdicts(
    metrics: pd.DataFrame,
    differences: pd.DataFrame,
    crossval: str | None = None,
    shares: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Say which model is best, by how much more than the next and than the first, and how sure
    that is; and how much of a teacher's lead survives, if that was asked for.

    metrics (DataFrame): As in `Comparison`.
    differences (DataFrame): As in `Comparison`.
    crossval (str | None): Which cross-validation the figures are from; None for a test set.
    shares (DataFrame | None): As in `Comparison`.
    RETURNS (DataFrame): For each `target` a short `headline`, the `sentence` with all figures, the
        name of the `best` model, the name of the `other` model in the headline, and whether the
        lead over it `is_sure`; the last three are None where they do not exist.
    """
    rows = [
        {"target": target, **_verdict(str(target), table, differences, crossval)}
        for target, table in metrics.groupby("target", sort=False)
    ]
    for share in () if shares is None else shares.to_dict("records"):
        row = next(row for row in rows if row["target"] == share["target"])
        row["sentence"] += f" {describe_share(share)}"
    return pd.DataFrame(rows)


def _verdict(
    target: str, metrics: pd.DataFrame, differences: pd.DataFrame, crossval: str | None
) -> dict[str, Any]:
    verdict: dict[str, Any] = {"best": None, "other": None, "is_sure": None}
    known = metrics[metrics["r2"].notna()]
    if known.empty:
        text = f"No model can be ranked on {target}: its observed values do not vary."
        return {"headline": text, "sentence": text, **verdict}
    ranked = known.sort_values("r2", ascending=False, kind="stable")
    row = ranked.iloc[0]
    best = verdict["best"] = row["model"]
    ends = _interval(row["r2_low"], row["r2_high"], "95 % interval ")
    documents = f"{row['n']:,} test documents"
    if crossval is not None:
        documents = f"{row['n']:,} documents in {crossval}"
    sentence = f"On {documents}, {best} predicts {target} best: R² {row['r2']:.3f} ({ends})"
    if best in (MEAN, LINE):
        headline = f"No model that reads the words predicts {target} better than the {best}."
        sentence += ". No model that reads the words does better."
        return {"headline": headline, "sentence": sentence, **verdict}
    others = [m for m in ranked["model"] if m not in (MEAN, LINE, best)]
    trivial = [name for name in (LINE, MEAN) if name in set(metrics["model"])]
    if not others and not trivial:
        headline = f"{best} predicts {target} best."
        return {"headline": headline, "sentence": f"{sentence}.", **verdict}
    other = (others or trivial)[0]
    leads = [_lead(best, other, target, differences)]
    is_sure = is_sure_lead(*find_pair(differences, best, other, target))
    if others:
        headline = f"{best} predicts {target} best"
        doubt = f", but its lead over {other} may be chance"
        leads[0] += ", the next best"
        first = next(m for m in metrics["model"] if m in others)
        if first != other:
            leads.append(_lead(best, first, target, differences))
    else:
        headline = f"{best} predicts {target} better than the {other}"
        doubt = ", but that may be chance"
    return {
        "headline": f"{headline}{'' if is_sure else doubt}.",
        "sentence": f"{sentence}. That is {'; and '.join(leads)}.",
        **{"best": best, "other": other, "is_sure": is_sure},
    }


def is_sure_lead(row: pd.Series, sign: int) -> bool:
    """Check whether all intervals of a lead in R² are above 0.

    row (Series): A row of `Comparison.differences`.
    sign (int): -1 to read it as the lead of the baseline, else 1.
    RETURNS (bool): Whether they are.
    """
    # The first interval is about new documents, that over folds about a new training set and split.
    names = [name for name in ("r2_difference", "r2_folds") if name in row]
    return all(sign * row[f"{name}_{end}"] > 0 for name in names for end in ("low", "high"))


def _lead(model: str, other: str, target: str, differences: pd.DataFrame) -> str:
    """Say how much more the model reaches than the other, and whether that is sure."""
    row, sign = find_pair(differences, model, other, target)
    low, high = sorted((sign * row["r2_difference_low"], sign * row["r2_difference_high"]))
    text = f"{sign * row['r2_difference']:.3f} ({_interval(low, high)}"
    if "r2_folds" in row:
        low, high = sorted((sign * row["r2_folds_low"], sign * row["r2_folds_high"]))
        text += f"; over folds {sign * row['r2_folds']:.3f}, {_interval(low, high)}"
    if sign == 1 and pd.notna(row["r2_change"]):
        text += f"; {row['r2_change']:+.1%} in R²"
        if pd.notna(row["mse_change"]):
            text += f", {row['mse_change']:+.1%} in MSE"
    chance = "" if is_sure_lead(row, sign) else ", which may be chance,"
    return f"{text}){chance} more than {other}"


def _interval(low: float, high: float, title: str = "") -> str:
    return "no interval" if pd.isna(low) else f"{title}{low:.3f} to {high:.3f}"


def find_pair(
    differences: pd.DataFrame, model: str, other: str, target: str
) -> tuple[pd.Series, int]:
    """Look up the row of two models, and its sign: -1 if it is the other's lead, otherwise 1.

    RAISES (KeyError): There is none.
    """
    pairs = differences[differences["target"] == target]
    pairs = pairs.set_index(["model", "baseline"], drop=False)
    for pair, sign in (((model, other), 1), ((other, model), -1)):
        if pair in pairs.index:
            return pairs.loc[pair], sign
    raise KeyError((model, other, target))


def find_warnings(
    models: Sequence[Model],
    metrics: pd.DataFrame,
    runs: pd.DataFrame,
    differences: pd.DataFrame,
    unit: str = "group",
) -> list[str]:
    """List what must not go unseen: failed runs, models that don't beat a line on document length,
    a test set of few groups, and different numbers of seeds.

    models (Sequence[Model]): As in `Comparison`, like the tables.
    metrics (DataFrame): For each target and model.
    runs (DataFrame): For each target, model and run.
    differences (DataFrame): For each target and pair of models.
    unit (str): What the bootstrap draws, see `TestSet`.
    RETURNS (list[str]): A sentence for each.
    """
    found = []
    for _, run in runs[runs["diverged"].notna()].iterrows():
        found.append(f"{run['model']}, {run['run']} failed on {run['target']}: {run['diverged']}.")
    for target, table in metrics[metrics["r2"].notna()].groupby("target", sort=False):
        for name in table["model"]:
            if name in (MEAN, LINE) or LINE not in set(table["model"]):
                continue
            row, _ = find_pair(differences, name, LINE, str(target))
            if not row["r2_difference_low"] > 0:
                found.append(
                    f"{name} does not surely beat a line on document length in {target}: it may "
                    "have learned length."
                )
        n_groups = table["n_groups"].iloc[0]
        if n_groups < FEWEST_GROUPS:
            found.append(
                f"The test set for {target} is one {unit.partition(',')[0]}: there are no "
                "intervals, and no difference is sure. Expected several."
            )
        elif n_groups < FEW_GROUPS:
            found.append(
                f"The test set for {target} has {n_groups} {plural(unit)}: bootstrap intervals are "
                f"too narrow with fewer than {FEW_GROUPS}."
            )
    if len({len(m.runs) for m in models if m.kind == "pipeline"}) > 1:
        found.append("The models were not all trained with the same number of seeds.")
    return found


def coverage_warnings(coverage: pd.DataFrame) -> list[str]:
    """Warn of intervals that surely hold fewer values than they promise, and say why.

    coverage (DataFrame): As in `Comparison`.
    RETURNS (list[str]): A text for each run and target.
    """
    return [
        f"Intervals of {row['model']}, {row['run']} hold {row['coverage']:.0%} of the values of "
        f"{row['target']} where {row['level']:.0%} were promised: the test documents are not like "
        "those that it was calibrated on. Predictions are "
        f"{abs(row['mean_error']):.3f} too {'high' if row['mean_error'] > 0 else 'low'} on "
        f"average; {row['below']:.0%} of the values lie below their interval, {row['above']:.0%} "
        f"above. If all were moved by that much, intervals would hold {row['coverage_moved']:.0%}."
        for _, row in coverage.iterrows()
        if row["coverage_high"] < row["level"]
    ]


def plural(unit: str) -> str:
    """Put the unit of the bootstrap, see `TestSet`, in the plural."""
    name, comma, rest = unit.partition(",")
    return f"{name}s{comma}{rest}"
