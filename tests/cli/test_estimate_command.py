import numpy as np
import pandas as pd
import pytest
from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands


def run(*arguments):
    result = CliRunner().invoke(app, ["bertreg", *map(str, arguments)])
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture
def scored(tmp_path):
    i = np.arange(200)
    y = np.sin(2.3 * i)
    frame = pd.DataFrame({"id": i, "text": "a text", "year": 2000 + i % 9, "y_predicted": 0.8 * y})
    frame.to_csv(tmp_path / "scored.csv", index=False)
    return tmp_path / "scored.csv"


def test_from_a_sample_to_estimates(scored, tmp_path):
    to_code = tmp_path / "to_code.csv"
    code, said = run("sample", scored, to_code, "--n", 40, "--predicted", "y", "--id", "id")
    assert (code, "40 of 200 documents, drawn with probability 0.2" in said) == (0, True), said
    coded = pd.read_csv(to_code)
    coded.assign(y=np.sin(2.3 * coded["id"]) + 0.1).to_csv(to_code, index=False)
    options = ["--predicted", "y", "--id", "id", "--coded", to_code, "--unseen"]
    files = [tmp_path / name for name in ("a.csv", "a.png")]
    written = ["--output", files[0], "--plot", files[1]]
    code, said = run("estimate", "y ~ year", scored, *options, *written)
    assert code == 0, said
    table = pd.read_csv(files[0])
    assert table["estimator"].unique().tolist() == ["naive", "gold", "dsl", "ppi++"]
    assert table["term"].tolist() == ["Intercept", "year"] * 4
    assert files[1].read_bytes().startswith(b"\x89PNG")
    assert "naive takes predictions for true values" in said
    assert "a simple random sample" in said
    weighted = ["--probability", "probability", "--estimators", "gold, dsl", "--plan"]
    weighted += ["--output", tmp_path / "b.md"]
    code, said = run("estimate", "y ~ year", scored, *options, *weighted)
    assert code == 0, said
    assert "naive" not in said
    assert "Width of 95% intervals by the number of coded documents" in said
    assert (tmp_path / "b.md").read_text().startswith("| Term | Estimator | 40 | 60 | 80 |")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["estimate", "y ~ 1", "scored.csv"], "must come from a model that was not trained"),
        (["estimate", "y ~ 1", "none.csv", "--unseen"], "none.csv does not exist"),
        (["estimate", "y ~ 1", "scored.csv", "-o", "a.txt"], "Can't write a.txt"),
        (["estimate", "y ~ 1", "scored.csv", "-o", "scored.csv"], "scored.csv is the input"),
        (["sample", "scored.csv", "scored.csv", "-n", "3", "--id", "id"], "is the input"),
    ],
)
def test_errors_are_one_message(scored, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, said = run(*arguments, "--predicted", "y")
    assert (code, message in said) == (1, True), said
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["scored.csv"]
