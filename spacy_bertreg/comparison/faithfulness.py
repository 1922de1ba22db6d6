"""How faithful explanations are: how a prediction changes when words that they name are removed.

Comprehensiveness is the change of the prediction when the strongest words are removed: the more,
the better. Sufficiency is the change when only they are left: the less, the better (DeYoung et al.
2020, ACL, 4443-4458). There, both are changes of a class's probability; here, absolute changes of
the prediction in the target's standard deviations. Words are deleted, or each is replaced by the
transformer's mask, which a fine-tuned model has not seen since its pretraining.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc

from ..explanation.methods import METHODS
from ..explanation.occlusion import delete, predict_anew
from ..explanation.parts import word_units
from ..explanation.transformer import find_transformer
from ..pipeline.dictionary_regressor import DictionaryRegressor
from ..pipeline.regressor import find_regressors, has_words
from ..pipeline.text_regressor import TextRegressor
from .bootstrap import Bootstrap, interval
from .test_set import TestSet

Floats = NDArray[np.float64]

# Shares of a text's words that are removed or left, as in DeYoung et al.
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
MEASURES = ("comprehensiveness", "sufficiency")
RANDOM, DICTIONARY = "random", "dictionary"
# Documents that are explained at once.
DOCS_AT_ONCE = 64


@dataclass(frozen=True)
class Faithfulness:
    """How faithful explanations by several methods are.

    table (DataFrame): For each method, removal ("deletion" or "masking") and measure: `change:0.1`
        and the like, the mean change when this share of the words is removed or left; `area`, their
        mean, with `area_low` and `area_high`; `over_random` and `over_dictionary`, how much larger
        the area is than that of random orders and of the dictionary, each with `_low` and `_high`.
    speed (dict[str, float]): Documents per second of each method, and of "scoring".
    left_out (dict[str, str]): Methods that do not explain this pipeline, and why.
    n (int): Number of documents.
    target (str): The target.
    """

    table: pd.DataFrame
    speed: dict[str, float]
    left_out: dict[str, str]
    n: int
    target: str

    def to_dict(self) -> dict[str, Any]:
        """Turn into lists and numbers for JSON; None for what is not known."""
        rows = self.table.astype(object).where(self.table.notna(), None).to_dict("records")
        rest = {"documents": self.n, "target": self.target, "left_out": self.left_out}
        return {"results": rows, "documents_per_second": self.speed, **rest}


def measure_faithfulness(
    component: TextRegressor,
    data: TestSet,
    *,
    target: str | None = None,
    methods: Sequence[str] = (),
    dictionary: Language | None = None,
    max_docs: int | None = 200,
    n_random: int = 5,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Faithfulness:
    """Measure how faithful explanations are.

    component (TextRegressor): A trained component, in its pipeline.
    data (TestSet): The documents; observed values are not needed.
    target (str | None): The target; None for the first.
    methods (Sequence[str]): Methods of explanation; none for all that explain this pipeline.
    dictionary (Language | None): A pipeline with a dictionary_regressor, whose terms to compare
        with.
    max_docs (int | None): Number of documents to draw at random; None for all.
    n_random (int): Number of random orders of each document's words.
    n_resamples (int): Number of the bootstrap's draws.
    seed (int): Seed of all draws.
    RETURNS (Faithfulness): The measures.
    RAISES (ValueError): There is no such target or method, a method that was asked for does not
        explain this pipeline, or no document has a word.
    """
    parts = component.parts()
    place = _find(target, component.targets, "target")
    rng = np.random.default_rng(seed)
    numbers = np.arange(len(data.texts))
    if max_docs is not None and max_docs < len(numbers):
        numbers = np.sort(rng.choice(len(numbers), max_docs, replace=False))
    start = time.perf_counter()
    docs = list(data.read_with(parts.nlp, numbers.tolist()))
    speed = {"scoring": len(docs) / (time.perf_counter() - start)}
    kept = np.flatnonzero(has_words(docs))
    if not len(kept):
        raise ValueError(f"None of {len(docs)} documents of {data.path} has a word.")
    docs, numbers = [docs[i] for i in kept], numbers[kept]
    orders: dict[str, list[list[NDArray[np.int64]]]] = {}
    left_out: dict[str, str] = {}
    for method in methods or METHODS:
        try:
            start = time.perf_counter()
            sizes = _contributions(component, docs, method, place)
            speed[method] = len(docs) / (time.perf_counter() - start)
            orders[method] = [[_order(own, rng)] for own in sizes]
        except ValueError as error:
            if methods:
                raise
            left_out[method] = str(error)
    n_words = [len(word_units(doc)) for doc in docs]
    orders[RANDOM] = [[rng.permutation(n) for _ in range(n_random)] for n in n_words]
    if dictionary is not None:
        sizes = _dictionary_contributions(dictionary, data, docs, numbers, component.targets[place])
        orders[DICTIONARY] = [[_order(own, rng)] for own in sizes]
    masks = {"deletion": None, **_masks(component)}
    changes = _Changes(component, docs, place).measure(orders, masks)
    groups = [data.groups[number] for number in numbers]
    bootstrap = Bootstrap(np.zeros(len(docs)), groups, n_resamples=n_resamples, seed=seed)
    table = _summarise(changes, bootstrap, groups)
    return Faithfulness(table, speed, left_out, len(docs), component.targets[place])


def find_dictionary_target(nlp: Language, target: str) -> DictionaryRegressor:
    """Find the dictionary of a pipeline that predicts a target and keeps its terms.

    RAISES (ValueError): There is none.
    """
    for part in find_regressors(nlp):
        if isinstance(part, DictionaryRegressor) and target in part.targets and part.spans_key:
            return part
    raise ValueError(
        f"The dictionary's pipeline has no dictionary_regressor that predicts {target!r} and keeps "
        f"its terms. It has: {', '.join(nlp.pipe_names) or 'no components'}."
    )


def _find(name: str | None, names: Sequence[str], what: str) -> int:
    if name is not None and name not in names:
        raise ValueError(f"There is no {what} {name!r}. Expected one of: {', '.join(names)}.")
    return 0 if name is None else names.index(name)


def _contributions(
    component: TextRegressor, docs: list[Doc], method: str, place: int
) -> list[Floats]:
    """Get the contribution of each word, for each document."""
    return [
        explanation.contributions[:, place]
        for start in range(0, len(docs), DOCS_AT_ONCE)
        for explanation in component.explain(docs[start : start + DOCS_AT_ONCE], method=method)
    ]


def _dictionary_contributions(
    nlp: Language, data: TestSet, docs: list[Doc], numbers: NDArray[np.int64], target: str
) -> list[Floats]:
    """Divide what a dictionary's terms add among the words of documents, by characters."""
    key = str(find_dictionary_target(nlp, target).spans_key)
    found = []
    for doc, read in zip(docs, data.read_with(nlp, numbers.tolist()), strict=True):
        by_character = np.zeros(len(doc.text))
        group = read.spans[key]
        for span, value in zip(group, group.attrs["contributions"][target], strict=True):
            by_character[span.start_char : span.end_char] += value / len(span.text)
        starts_ends = [(doc[s].idx, doc[s].idx + len(doc[s])) for s, _ in word_units(doc)]
        found.append(np.array([by_character[start:end].sum() for start, end in starts_ends]))
    return found


def _order(contributions: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Order words by the size of their contributions, equal ones at random."""
    shuffled = rng.permutation(len(contributions))
    return shuffled[np.argsort(-np.abs(contributions[shuffled]), kind="stable")]


def _masks(component: TextRegressor) -> dict[str, str]:
    """Get the text of the transformer's mask, if there is one."""
    try:
        mask = find_transformer(component.parts()).tokenizer.mask_token
    except ValueError:
        return {}
    return {} if mask is None else {"masking": str(mask)}


class _Changes:
    """Changes of predictions for documents from which words were removed."""

    def __init__(self, component: TextRegressor, docs: list[Doc], place: int) -> None:
        self._parts = component.parts()
        self._docs = docs
        self._place = place
        self._units = [word_units(doc) for doc in docs]

    def measure(
        self, orders: dict[str, list[list[NDArray[np.int64]]]], masks: dict[str, str | None]
    ) -> dict[tuple[str, str, str], Floats]:
        """Measure the changes.

        orders (dict): For each method and document, one or several orders of its words.
        masks (dict[str, str | None]): What to put in the words' place, by removal.
        RETURNS (dict): For each method, removal and measure, changes of the shape (documents,
            SHARES), means over the orders.
        """
        changes = {
            (method, removal, measure): np.zeros((len(self._docs), len(SHARES)))
            for method in orders
            for removal in masks
            for measure in MEASURES
        }
        for number in range(len(self._docs)):
            own = {method: by_doc[number] for method, by_doc in orders.items()}
            wanted = list(self._versions(number, own))
            # In a short text, most shares remove the same words.
            versions = {(mask, taken) for *_, taken in wanted for mask in masks.values()}
            found = self._predict(number, sorted(versions, key=str))
            for method, measure, share, taken in wanted:
                for removal, mask in masks.items():
                    change = abs(found[None] - found[mask, taken]) / len(own[method])
                    changes[method, removal, measure][number, share] += change
        return changes

    def _versions(
        self, number: int, orders: dict[str, list[NDArray[np.int64]]]
    ) -> Iterator[tuple[str, str, int, frozenset[int]]]:
        """List the words to remove, for each method, measure and share."""
        everything = frozenset(range(len(self._units[number])))
        for method, own in orders.items():
            for order in own:
                for place, share in enumerate(SHARES):
                    n_words = max(1, round(share * len(order)))
                    strongest = frozenset(order[:n_words].tolist())
                    yield method, MEASURES[0], place, strongest
                    yield method, MEASURES[1], place, everything - strongest

    def _predict(self, number: int, versions: list[tuple[str | None, frozenset[int]]]) -> Any:
        """Predict for a document as it is, under None, and for each version of it."""
        doc, units = self._docs[number], self._units[number]

        def docs() -> Iterator[Doc]:
            yield delete(doc, [])
            for mask, taken in versions:
                yield delete(doc, [units[unit] for unit in taken], mask)

        unit = self._parts.unit[self._place]
        values = [values[self._place] / unit for values in predict_anew(self._parts, docs())]
        return dict(zip([None, *versions], values, strict=True))


def _summarise(
    changes: dict[tuple[str, str, str], Floats], bootstrap: Bootstrap, groups: Sequence[str]
) -> pd.DataFrame:
    codes, unique = pd.factorize(np.asarray(groups, dtype=object))
    sizes = np.bincount(codes, minlength=len(unique))
    areas = {key: change.mean(axis=1) for key, change in changes.items()}
    names = list(areas)
    sums = np.stack(
        [np.bincount(codes, areas[name], minlength=len(unique)) for name in names], axis=1
    )
    drawn = np.stack([counts @ sums / (counts @ sizes) for counts in bootstrap.draws()])
    rows = []
    for number, (method, removal, measure) in enumerate(names):
        change = changes[method, removal, measure].mean(axis=0)
        row: dict[str, Any] = {"method": method, "removal": removal, "measure": measure}
        row |= {f"change:{share}": value for share, value in zip(SHARES, change, strict=True)}
        row["area"] = areas[method, removal, measure].mean()
        row |= _with_ends("area", drawn[:, number], bootstrap)
        for other in (RANDOM, DICTIONARY):
            if (other, removal, measure) in areas and other != method:
                base = names.index((other, removal, measure))
                row[f"over_{other}"] = row["area"] - areas[names[base]].mean()
                difference = drawn[:, number] - drawn[:, base]
                row |= _with_ends(f"over_{other}", difference, bootstrap)
        rows.append(row)
    return pd.DataFrame(rows).sort_values(["removal", "measure"], kind="stable", ignore_index=True)


def _with_ends(name: str, draws: Floats, bootstrap: Bootstrap) -> dict[str, float]:
    low, high = interval(draws) if bootstrap.n_groups > 1 else (np.nan, np.nan)
    return {f"{name}_low": low, f"{name}_high": high}
