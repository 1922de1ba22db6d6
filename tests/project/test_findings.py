"""What `bertreg init` sees in a table."""

import numpy as np
import pandas as pd
import pytest
import spacy

from spacy_bertreg.project.findings import choose_transform, describe_documents, find_leaks

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("values", "transform", "bounds"),
    [
        (RNG.normal(4, 1, 500).clip(1, 7), "standardize", None),
        (RNG.poisson(0.5, 500) * RNG.lognormal(1, 1, 500), "log1p", None),
        (RNG.standard_t(1.5, 500), "asinh", None),
        (RNG.uniform(0.1, 0.9, 500), "logit", (-0.001, 1.001)),
        (RNG.uniform(-0.2, 1.2, 500).clip(0, 1), "logit", (-0.001, 1.001)),
        # Yes or no is no share.
        (RNG.integers(0, 2, 500), "standardize", None),
        (np.where(RNG.random(500) < 0.5, np.nan, RNG.normal(size=500)), "standardize", None),
    ],
)
def test_transforms_follow_from_the_distribution(values, transform, bounds):
    choice = choose_transform("y", values)
    assert (choice.transform, choice.bounds) == (transform, bounds)
    assert choice.target == "y"
    assert f"{np.isfinite(values).sum():,} known of 500" in choice.finding.found
    assert transform in choice.finding.choice


@pytest.mark.parametrize(
    ("values", "found"), [([2.0, 2.0], "1 different"), ([None], "0 different")]
)
def test_a_target_that_does_not_vary(values, found):
    with pytest.raises(ValueError, match=f"'y' has {found} values in"):
        choose_transform("y", values)


@pytest.fixture
def table():
    authors = RNG.integers(0, 30, 600)
    return pd.DataFrame(
        {
            "author": [f"a{i}" for i in authors],
            "day": [f"d{i}" for i in RNG.integers(0, 30, 600)],
            "length": RNG.normal(size=600),
            "few": authors % 3,
            "y": RNG.normal(size=30)[authors] + RNG.normal(size=600),
        }
    )


def test_columns_that_leak(table):
    targets = {"y": table["y"].to_numpy()}
    (finding,) = find_leaks(table, targets, used=["y"], has_time=False)
    assert finding.subject == "Column 'author'"
    assert finding.is_warning
    # Half of the variance is between authors.
    share = int(finding.found.partition("explain ")[2].partition("%")[0])
    assert 35 < share < 65
    assert "--group author" in finding.choice
    assert not find_leaks(table, targets, used=["y", "author"], has_time=False)


def test_columns_that_go_with_nothing(table):
    targets = {"y": RNG.permutation(table["y"].to_numpy())}
    assert not find_leaks(table, targets, used=["y"], has_time=False)


@pytest.mark.parametrize("dates", [["2016-01-31", "2016-03-01"], [1987, 2010], ["2016-01", None]])
def test_dates(dates):
    table = pd.DataFrame({"when": dates * 50, "y": RNG.normal(size=100)})
    targets = {"y": table["y"].to_numpy()}
    findings = find_leaks(table, targets, used=["y"], has_time=False)
    if None in dates:
        assert not findings  # of one month
        return
    (finding,) = findings
    assert finding.found.startswith(f"dates from {dates[0]}")
    assert "--time when --dev-from DATE" in finding.choice
    assert not find_leaks(table, targets, used=["y", "when"], has_time=True)


def make_docs(n, n_groups, n_words=3):
    nlp = spacy.blank("en")
    docs = []
    for i in range(n):
        doc = nlp(" ".join(f"w{i}" for _ in range(n_words)))
        doc.user_data["group"] = i % n_groups
        docs.append(doc)
    return docs


def test_documents(tiny_bert):
    docs = {"train": make_docs(1000, 50), "dev": make_docs(300, 50), "test": make_docs(300, 50)}
    findings = describe_documents(docs, str(tiny_bert), has_groups=False)
    found = {finding.subject: finding for finding in findings}
    assert found["Documents"].found == "1,600: 1,000 train, 300 dev, 300 test"
    assert "word pieces" in found["Length"].found
    assert "windows of 128 tokens: 0% of the texts" in found["Length"].choice
    assert found["Duplicates"].found == "600 texts repeat others"
    assert not any(finding.is_warning for finding in findings)


def test_few_documents_and_groups_are_warned_of(tmp_path):
    docs = {"train": make_docs(100, 5), "test": make_docs(20, 5, n_words=200)}
    findings = describe_documents(docs, str(tmp_path / "nowhere"), has_groups=True)
    found = {finding.subject: finding for finding in findings}
    assert "longest 200" in found["Length"].found
    assert " words" in found["Length"].found
    # The training texts have 3 words, those of the test set 200.
    assert "17% of the texts take more than one" in found["Length"].choice
    assert found["Test set"].is_warning
    assert "run crossval" in found["Test set"].choice
    docs = {"train": make_docs(1500, 50), "test": make_docs(20, 20)}
    findings = describe_documents(docs, str(tmp_path / "nowhere"), has_groups=True)
    (test_set,) = (finding for finding in findings if finding.subject == "Test set")
    assert "run crossval" not in test_set.choice
    assert found["Groups"].found == "5 in the test set"
