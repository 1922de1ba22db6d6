import numpy as np
import pandas as pd
import pytest

from spacy_bertreg.estimation.sample import draw_by_size, draw_stratified, sample


@pytest.fixture
def scored(tmp_path):
    """A table of 200 documents with predictions, 20 of them coded if asked for."""

    def write(**columns):
        n = 200
        frame = pd.DataFrame(
            {
                "id": [f"d{i}" for i in range(n)],
                "text": [f"text {i}" for i in range(n)],
                "region": ["a"] * 150 + ["b"] * 45 + ["c"] * 5,
                "y_predicted": np.sin(np.arange(n)),
                "y_low": np.sin(np.arange(n)) - 1,
                "y_high": np.sin(np.arange(n)) + 1 + np.arange(n) / 100,
            }
        ).assign(**columns)
        frame.to_csv(tmp_path / "scored.csv", index=False)
        return tmp_path / "scored.csv"

    return write


def draw(table, output, n=40, **settings):
    return sample(table, output, n=n, predicted="y", id_column="id", **settings)


def test_simple_sample_is_a_file_for_coders(scored, tmp_path):
    rows = draw(scored(), tmp_path / "code.csv", seed=1)
    written = pd.read_csv(tmp_path / "code.csv")
    assert list(written.columns) == ["id", "text", "y", "probability"]
    assert written["id"].is_unique
    assert written["y"].isna().all()
    assert (written["probability"] == 0.2).all()
    assert rows["id"].tolist() != sorted(rows["id"], key=lambda name: int(name[1:]))
    for seed, same in ((1, True), (2, False)):
        again = draw(scored(), tmp_path / f"{seed}.csv", seed=seed)
        assert (again["id"].tolist() == rows["id"].tolist()) is same


def test_coded_documents_are_not_drawn_again(scored, tmp_path):
    table = scored(y=np.where(np.arange(200) % 10, np.nan, 1.5))
    rows = draw(table, tmp_path / "code.csv")
    assert not set(rows["id"]) & {f"d{i}" for i in range(0, 200, 10)}
    # Both samples together.
    np.testing.assert_allclose(rows["probability"], 60 / 200)
    with pytest.raises(ValueError, match="20 documents .* are coded already"):
        draw(table, tmp_path / "other.csv", design="stratified")


def test_strata_have_as_many_documents_each(scored, tmp_path):
    table = scored()
    rows = draw(table, tmp_path / "a.csv", design="stratified", by="region")
    regions = pd.read_csv(table).set_index("id")["region"].loc[rows["id"]].to_numpy()
    counts = pd.Series(regions).value_counts()
    # All 5 of the smallest, and what is left from the others.
    assert counts["c"] == 5
    assert sorted(counts.tolist()) == [5, 17, 18]
    expected = counts[regions].to_numpy() / np.array(
        [{"a": 150, "b": 45, "c": 5}[r] for r in regions]
    )
    np.testing.assert_allclose(rows["probability"], expected)
    rows = draw(table, tmp_path / "b.csv", design="stratified", strata=4)
    predicted = pd.read_csv(table).set_index("id")["y_predicted"].loc[rows["id"]]
    thirds = np.histogram(predicted, np.quantile(np.sin(np.arange(200)), [0, 0.25, 0.5, 0.75, 1]))
    assert thirds[0].tolist() == [10, 10, 10, 10]


@pytest.mark.parametrize("design", ["stratified", "uncertainty"])
def test_probabilities_are_how_often_documents_are_drawn(design):
    rng = np.random.default_rng(0)
    sizes = np.array([0.5, 1, 1, 2, 3, 4, 4, 60.0])
    strata = np.array([0, 0, 0, 0, 0, 1, 1, 2])
    times, said = np.zeros(8), np.zeros(8)
    for _ in range(4000):
        if design == "uncertainty":
            drawn, probability = draw_by_size(sizes, 4, rng)
        else:
            drawn, probability = draw_stratified(strata, 4, rng)
        assert len(set(drawn)) == 4
        times[drawn] += 1
        said[drawn] += 1 / probability
    # Weighted by 1 / probability, each document counts as one.
    np.testing.assert_allclose(said / 4000, 1, atol=0.12)
    if design == "uncertainty":
        np.testing.assert_allclose(times[:7] / 4000, 3 * sizes[:7] / 15.5, atol=0.03)
        assert times[7] == 4000


def test_uncertain_documents_are_drawn_more_often(scored, tmp_path):
    rows = draw(scored(), tmp_path / "a.csv", design="uncertainty")
    widths = 2 + np.arange(200) / 100
    expected = 40 * widths / widths.sum()
    np.testing.assert_allclose(rows["probability"], expected[[int(n[1:]) for n in rows["id"]]])
    table = scored(spread=np.where(np.arange(200) == 7, 1000, 0.001))
    rows = draw(table, tmp_path / "b.csv", design="uncertainty", uncertainty="spread")
    assert rows.set_index("id")["probability"]["d7"] == 1
    # None is as improbable as its own uncertainty.
    assert rows["probability"].min() > 0.1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0}, "n is 0. Expected 1 to 200"),
        ({"n": 201}, "Expected 1 to 200"),
        ({"design": "best"}, "design is 'best'. Expected simple"),
        ({"by": "region"}, "Expected it with the design stratified only"),
        ({"uncertainty": "y_low"}, "Expected it with the design uncertainty only"),
        ({"design": "stratified", "by": "country"}, "no column 'country'"),
        ({"design": "stratified", "by": "id"}, "there are 200 strata"),
        ({"design": "stratified", "strata": 1}, "strata is 1"),
        ({"design": "uncertainty", "uncertainty": "y_predicted"}, "Expected a number above 0"),
        ({"design": "uncertainty", "uncertainty": "flat"}, "has no column 'flat'"),
        ({"text": "y"}, "Expected different names"),
    ],
)
def test_wrong_input_is_named(scored, tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        draw(scored(), tmp_path / "code.csv", **settings)
    assert not (tmp_path / "code.csv").exists()


def test_intervals_of_one_width_say_nothing_of_uncertainty(scored, tmp_path):
    table = scored(y_low=np.sin(np.arange(200)) - 1, y_high=np.sin(np.arange(200)) + 1)
    with pytest.raises(ValueError, match="All intervals .* are 2 wide"):
        draw(table, tmp_path / "code.csv", design="uncertainty")


def test_codes_are_never_written_over(scored, tmp_path):
    (tmp_path / "code.csv").write_text("id,y\nd1,3\n")
    with pytest.raises(ValueError, match="is there already, perhaps with codes"):
        draw(scored(), tmp_path / "code.csv")
    assert (tmp_path / "code.csv").read_text() == "id,y\nd1,3\n"
    with pytest.raises(ValueError, match="Expected a name in .csv"):
        draw(scored(), tmp_path / "code.xlsx")
