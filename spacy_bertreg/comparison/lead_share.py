"""How much of a teacher's lead survives in a model that was distilled from it."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..evaluation.metrics import Floats
from .bootstrap import interval


class ShareModels(NamedTuple):
    """The names of three models of a comparison.

    plain (str): Learned without the teacher.
    distilled (str): The same, learned from the teacher's predictions, too.
    teacher (str): The teacher.
    """

    plain: str
    distilled: str
    teacher: str

    def check(self, models: Collection[str]) -> None:
        """Raise a ValueError if a name belongs to no model, or comes twice."""
        for name in self:
            if name not in models:
                raise ValueError(
                    f"--share names {name!r}, which is none of the models: {', '.join(models)}. "
                    "Expected the names of a plain model, a distilled one and its teacher."
                )
        if len(set(self)) < 3:
            raise ValueError(f"--share is {', '.join(self)}. Expected three different models.")


def share_of_lead(names: ShareModels, r2: Mapping[str, Floats]) -> dict[str, Any] | None:
    """Compute (R² distilled - R² plain) / (R² teacher - R² plain), with paired intervals.

    names (ShareModels): The models.
    r2 (Mapping[str, ndarray]): R² by model: first on the test set, then in each draw.
    RETURNS (dict | None): The names; `gain` of the distilled model over the plain one, the
        teacher's `lead` over it, and the `share`, each with the ends of its interval. The share is
        NaN where the interval of the lead reaches 0. None if not all three models predict this
        target.
    """
    if not set(names) <= set(r2):
        return None
    plain, distilled, teacher = (r2[name] for name in names)
    gain, lead = distilled - plain, teacher - plain
    share = np.divide(gain, lead, out=np.full_like(gain, np.nan), where=lead > 0)
    ends = {"gain": interval(gain[1:]), "lead": interval(lead[1:]), "share": interval(share[1:])}
    if not ends["lead"][0] > 0 or np.isnan(ends["share"][0]):
        share, ends["share"] = np.full_like(share, np.nan), (np.nan, np.nan)
    row: dict[str, Any] = dict(names._asdict())
    for name, values in {"gain": gain, "lead": lead, "share": share}.items():
        low, high = ends[name]
        row |= {name: float(values[0]), f"{name}_low": low, f"{name}_high": high}
    return row


def describe_share(row: Mapping[str, Any]) -> str:
    """Say in a sentence what `share_of_lead` gave."""
    lead, low, high = (row[f"lead{end}"] for end in ("", "_low", "_high"))
    ends = "no interval" if pd.isna(low) else f"{low:+.3f} to {high:+.3f}"
    over = f"over {row['plain']} (R² {lead:+.3f}; {ends})"
    if pd.isna(row["share"]):
        return (
            f"{row['teacher']} has no sure lead {over}, of which a share could survive in "
            f"{row['distilled']}."
        )
    share, low, high = (row[f"share{end}"] for end in ("", "_low", "_high"))
    return (
        f"Of the lead of {row['teacher']} {over}, {share:.0%} ({low:.0%} to {high:.0%}) survives "
        f"in {row['distilled']}."
    )
