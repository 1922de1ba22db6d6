"""Several targets, of which some values are unknown, on real ratings."""

import json
import tarfile

import numpy as np
import pytest
import spacy
from conftest import ROOT
from spacy.training import Example
from spacy.util import fix_random_seed, load_config, minibatch

ARCHIVE = ROOT.parent / "shared" / "data" / "hutto_ICWSM_2014.tar.gz"
TARGETS = ("rating", "positive", "negative")


@pytest.fixture(scope="module")
def tweets():
    """Texts and, of each one's 95 or so ratings, the mean and two shares: documents by targets."""
    if not ARCHIVE.is_file():
        pytest.skip(f"{ARCHIVE} is missing")

    def rows(members, name):
        lines = members.extractfile(f"hutto_ICWSM_2014/tweets_{name}.txt").read()
        return [line.split("\t") for line in lines.decode("latin-1").splitlines()]

    with tarfile.open(ARCHIVE) as members:
        texts = {number: text for number, _, text in rows(members, "GroundTruth")}
        ratings = {row[0]: np.array(json.loads(row[3])) for row in rows(members, "anonDataRatings")}
    values = [(r.mean(), (r >= 2).mean(), (r <= -1).mean()) for r in map(ratings.get, texts)]
    return list(texts.values()), np.array(values)


def r2(texts, values, in_train, targets):
    """Of `configs/tok2vec.cfg` with some of the targets."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    config = load_config(ROOT / "configs" / "tok2vec.cfg")["components"]["text_regressor"]
    nlp.add_pipe(config.pop("factory"), config=config)
    columns = [TARGETS.index(target) for target in targets]
    cats = [
        {t: v for t, v in zip(targets, row[columns].tolist(), strict=True) if not np.isnan(v)}
        for row in values
    ]
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": own})
        for text, own in zip(texts, cats, strict=True)
    ]
    train = [eg for eg, used in zip(examples, in_train, strict=True) if used and eg.reference.cats]
    optimizer = nlp.initialize(lambda: train)
    order = np.random.default_rng(0)
    for _ in range(3):
        for rows in minibatch(order.permutation(len(train)), 32):
            nlp.update([train[row] for row in rows], sgd=optimizer, drop=0.2)
    test = [eg for eg, used in zip(examples, in_train, strict=True) if not used]
    return {t: s["r2"] for t, s in nlp.evaluate(test)["reg_per_target"].items()}


@pytest.mark.slow
def test_three_targets_with_values_missing_lose_nothing_to_one_alone(tweets):
    texts, values = tweets
    rng = np.random.default_rng(0)
    in_train = rng.permutation(len(texts)) < 0.7 * len(texts)
    values[in_train[:, None] & (rng.random(values.shape) < 0.3)] = np.nan
    together = r2(texts, values, in_train, TARGETS)
    alone = {target: r2(texts, values, in_train, [target])[target] for target in TARGETS}
    for target in TARGETS:
        assert alone[target] > 0.2
        assert together[target] > alone[target] - 0.03
