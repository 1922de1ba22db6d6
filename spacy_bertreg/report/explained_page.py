"""The page of one text, as one or several models read it."""

from collections.abc import Sequence

from .explained import ExplainedText, greatest_by_scale, mark_text
from .formatting import decimals_for
from .page import get_template


def render_explanations(texts: Sequence[ExplainedText], observed: float | None = None) -> str:
    """Make a page of one text: once for each model, with what its words add to the prediction.

    texts (Sequence[ExplainedText]): The text, explained by each model.
    observed (float | None): The observed value.
    RETURNS (str): HTML that loads nothing from elsewhere.
    """
    greatest = greatest_by_scale(texts)
    # As many decimals as contributions in the target's unit have, or otherwise predictions.
    unit = greatest.get("") or max(abs(text.prediction) for text in texts)
    return get_template("explained.html").render(
        title=f"What the words add to {texts[0].target}",
        texts=[(text, mark_text(text, greatest[text.scale])) for text in texts],
        decimals={"": decimals_for(unit)} | {k: decimals_for(v) for k, v in greatest.items() if k},
        observed=observed,
    )
