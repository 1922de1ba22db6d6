import numpy as np
import pandas as pd
import pytest
import spacy

import spacy_bertreg
from spacy_bertreg.targets.intervals import Calibration


def test_a_frame_keeps_its_index_and_columns(nlp, table):
    frame = table.set_index("id").iloc[::-1]
    frame.iloc[0, 0] = None
    before = frame.copy()
    found = spacy_bertreg.score_frame(nlp, frame)
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(found[frame.columns], frame)
    texts = ["", *frame["text"].iloc[1:]]
    expected = [doc.cats["severity"] for doc in nlp.pipe(texts)]
    assert found["severity_predicted"].tolist() == pytest.approx(expected, abs=1e-6)
    assert found["severity_predicted"].dtype == np.float64


def test_intervals_of_a_calibrated_pipeline(nlp, table):
    regressor = nlp.get_pipe("text_regressor")
    regressor.calibration = Calibration("plain", 0.9, (1.0,), (100,))
    found = spacy_bertreg.score_frame(nlp, table)
    assert list(found.columns[-3:]) == ["severity_predicted", "severity_low", "severity_high"]
    assert (found["severity_low"] < found["severity_predicted"]).all()
    (doc,) = nlp.pipe([table["text"].iloc[0]])
    ends = found.iloc[0][["severity_low", "severity_high"]].tolist()
    assert ends == pytest.approx(doc._.interval["severity"], abs=1e-6)


def test_several_regressors_have_a_column_each(nlp, make_examples):
    nlp.get_pipe("text_regressor").cfg["output_key"] = "{name}:{target}"
    other = nlp.add_pipe("dictionary_regressor", config={"output_key": "{name}:{target}"})
    examples = make_examples(nlp, 100)
    other.initialize(lambda: examples, nlp=nlp, learn="elastic_net")
    found = spacy_bertreg.score_frame(nlp, pd.DataFrame({"words": ["Quiet."]}), text="words")
    (doc,) = nlp.pipe(["Quiet."])
    for name in ("text_regressor", "dictionary_regressor"):
        assert found[f"{name}:severity_predicted"][0] == doc.cats[f"{name}:severity"]
    other.cfg["output_key"] = "text_regressor:{target}"
    with pytest.raises(ValueError, match="both write to doc.cats"):
        spacy_bertreg.score_frame(nlp, pd.DataFrame({"text": ["Quiet."]}))


def test_an_empty_frame(nlp):
    found = spacy_bertreg.score_frame(nlp, pd.DataFrame({"text": []}))
    assert list(found.columns) == ["text", "severity_predicted"]


def test_what_pandas_calls_na_is_unknown(covariate_pipeline):
    nlp = spacy.load(covariate_pipeline)
    given = pd.array([3.0, None], dtype="Float64")
    assert given[1] is pd.NA
    frame = pd.DataFrame({"text": ["Quiet."] * 2, "deaths": given})
    found = spacy_bertreg.score_frame(nlp, frame)["severity_predicted"]
    assert (
        found.tolist()
        == spacy_bertreg.score_frame(nlp, frame.assign(deaths=[3.0, np.nan]))[
            "severity_predicted"
        ].tolist()
    )


def test_a_text_of_any_length(nlp):
    text = "quiet " * 170_000
    assert len(text) > nlp.max_length
    usual = nlp.max_length
    found = spacy_bertreg.score_frame(nlp, pd.DataFrame({"text": [text, "Quiet."]}))
    assert found["severity_predicted"].notna().all()
    assert nlp.max_length == usual


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"words": ["x"]}, "has no column 'text'. It has: words"),
        ({"text": ["x", 5]}, "Row 1, column 'text': found 5. Expected a text"),
        ({"text": ["x"], "severity_predicted": [1]}, "a column 'severity_predicted' already"),
        ({"text": ["\ud800"]}, "surrogates|can't be scored"),
    ],
)
def test_wrong_frames_are_errors(nlp, frame, message):
    with pytest.raises(ValueError, match=message):
        spacy_bertreg.score_frame(nlp, pd.DataFrame(frame))
