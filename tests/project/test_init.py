"""`bertreg init` writes a project for a user's own table."""

import shlex
import shutil

import pytest
import spacy
import yaml
from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.project.init import init

COLUMNS = {"text": "report", "targets": ["deaths"], "id_column": "id", "group": "region"}


@pytest.fixture
def table(sample, tmp_path):
    frame = sample.rename(columns={"text": "report"})
    # As deaths are: skewed, with many zeros.
    frame["deaths"] = (10 ** frame["severity"] - 1).round()
    path = tmp_path / "my reports.csv"
    frame[["id", "report", "region", "deaths"]].to_csv(path, index=False)
    return path


def run(*words):
    result = CliRunner().invoke(app, ["bertreg", *map(str, words)])
    return result.exit_code, " ".join(result.output.split())


def test_a_project(table, tiny_bert, tmp_path):
    folder = tmp_path / "projects" / "mine"
    options = ["--text", "report", "--target", "deaths", "--id", "id", "--group", "region"]
    options += ["--transformer", tiny_bert, "--seeds", 3, "--epochs", 2, "--split", 0.5, 0.2, 0.3]
    code, said = run("init", table, folder, *options, "--no-time-it")
    assert code == 0, said
    assert "Documents: 400:" in said
    assert 'transform = "log1p"' in said
    assert "word pieces" in said
    assert "Test set: " in said
    assert "python -m spacy project run crossval" in said
    found = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    configs = [f"configs/{name}.cfg" for name in ("bert", "dictionary", "tok2vec")]
    assert found == [".gitignore", "README.md", "assets/my_reports.csv", *configs, "project.yml"]
    assert (folder / "assets" / "my_reports.csv").read_bytes() == table.read_bytes()
    text = (folder / "project.yml").read_text(encoding="utf-8")
    assert text.count("\n") < 160
    variables = yaml.safe_load(text)["vars"]
    assert variables["dataset"] == "my_reports"
    assert variables["transformer"] == str(tiny_bert)
    assert (variables["seeds"], variables["epochs"]) == ("3", 2)
    assert variables["crossval"] == "--folds 5"
    assert variables["columns"] == "--text report --target deaths --id id --group region --lang en"
    assert variables["split"] == "--split 0.5 0.2 0.3"
    for name in configs:
        config = spacy.util.load_config(folder / name)
        assert "log1p" in [part.get("transform") for part in config["components"].values()]
    bert = spacy.util.load_config(folder / "configs" / "bert.cfg")
    assert bert["components"]["transformer"]["model"]["precision"] == "auto"
    assert "deaths" in (folder / "README.md").read_text(encoding="utf-8")


def test_several_targets_and_a_lexicon(sample, tmp_path, tiny_bert):
    frame = sample.assign(share=(sample["severity"] / sample["severity"].max()).round(2))
    frame.loc[::4, "share"] = None
    frame.loc[5, "text"] = " "
    frame.to_csv(tmp_path / "table.csv", index=False)
    (tmp_path / "terms.csv").write_text("term,weight\nkilled,1\n")
    arguments = {"text": "text", "targets": ["severity", "share"], "lang": "de"}
    arguments |= {"transformer": str(tiny_bert), "lexicon": tmp_path / "terms.csv"}
    with pytest.raises(ValueError, match="row 6, column 'text'"):
        init(tmp_path / "table.csv", tmp_path / "mine", measure_time=False, **arguments)
    assert not (tmp_path / "mine").exists()
    arguments |= {"drop_empty": True, "max_docs": 300}
    project = init(tmp_path / "table.csv", tmp_path / "mine", measure_time=False, **arguments)
    assert "300: " in project.findings[0].found
    config = spacy.util.load_config(project.folder / "configs" / "bert.cfg")
    regressor = config["components"]["text_regressor"]
    assert regressor["transform"] == {"severity": "standardize", "share": "logit"}
    low, high = regressor["bounds"]["share"]
    assert low < 0 < 1 < high
    assert config["nlp"]["lang"] == "de"
    content = yaml.safe_load((project.folder / "project.yml").read_text(encoding="utf-8"))
    (best,) = (c for c in content["commands"] if c["name"] == "train-dictionary-best")
    assert "--paths.lexicon assets/terms.csv" in best["script"][0]
    # Rules of negation are for English.
    assert "context" not in best["script"][0]
    assert "--drop-empty --max-docs 300" in content["vars"]["columns"]


def test_names_that_need_quotes(sample, tiny_bert, tmp_path):
    bert = tmp_path / "a bert's folder"
    shutil.copytree(tiny_bert, bert)
    table = tmp_path / "Äußerungen (2. Welle)_.csv"
    sample.rename(columns={"text": 'the "text"', "severity": "Härte's"}).to_csv(table, index=False)
    arguments = {"text": 'the "text"', "targets": ["Härte's"], "max_docs": 100}
    project = init(table, tmp_path / "mine", transformer=str(bert), measure_time=False, **arguments)
    written = (project.folder / "project.yml").read_text(encoding="utf-8")
    content = yaml.safe_load(written)
    assert "Härte's" in content["title"]
    assert content["vars"]["dataset"] == "auerungen_2"
    words = shlex.split(content["vars"]["columns"])
    assert words[:4] == ["--text", 'the "text"', "--target", "Härte's"]
    assert shlex.split(content["vars"]["transformer"]) == [bert.as_posix()]
    assert "Härte" in written


def test_two_files_of_one_name(table, tmp_path):
    (tmp_path / "terms").mkdir()
    shutil.copy(table, tmp_path / "terms")
    (tmp_path / "terms" / table.name).write_text("term,weight\nkilled,1\n")
    with pytest.raises(ValueError, match="have the same name. Expected different ones"):
        init(table, tmp_path / "mine", lexicon=tmp_path / "terms" / table.name, **COLUMNS)


def test_the_smallest_tables_are_timed_too(table, tiny_bert, tmp_path):
    options = COLUMNS | {"group": None, "max_docs": 4, "shares": (0.5, 0.25, 0.25)}
    project = init(table, tmp_path / "mine", transformer=str(tiny_bert), **options)
    assert project.findings[-1].subject == "Training"


def test_the_time_is_measured(table, tiny_bert, tmp_path):
    project = init(table, tmp_path / "mine", transformer=str(tiny_bert), max_docs=200, **COLUMNS)
    (finding,) = (f for f in project.findings if f.subject == "Training")
    for name in ("dictionary-best", "tok2vec", "frozen", "full"):
        assert f"{name} 1 min" in finding.found
    assert "with 2 seeds" in finding.found


def test_a_transformer_out_of_reach_is_said(table, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    nowhere = str(tmp_path / "nowhere")
    project = init(table, tmp_path / "mine", transformer=nowhere, max_docs=100, **COLUMNS)
    (finding,) = (f for f in project.findings if f.subject == "Training")
    assert finding.is_warning
    assert "Can't load the transformer" in finding.found
    assert "How long it takes was not measured" in (project.folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": ["none"]}, "has no column 'none'"),
        ({"targets": []}, "No target column"),
        ({"text": "region", "targets": ["report"]}, "Expected a"),
        ({"folder": "full"}, "full is not empty. Expected a new folder"),
        ({"folder": "my reports.csv"}, "is a file. Expected a folder"),
        ({"max_docs": 0}, "max_docs is 0. Expected 1 or more"),
        ({"epochs": 0}, "epochs is 0. Expected 1 or more"),
        ({"seeds": (1, 1)}, "Expected different whole numbers"),
        ({"shares": (0.8, 0.0, 0.2)}, "The split leaves dev without documents"),
        ({"lexicon": "full/thesis.tex"}, "thesis.tex"),
    ],
)
def test_wrong_input_leaves_nothing_behind(table, tmp_path, change, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    arguments = COLUMNS | change
    folder = tmp_path / arguments.pop("folder", "new")
    if "lexicon" in arguments:
        arguments["lexicon"] = tmp_path / arguments["lexicon"]
    with pytest.raises(ValueError, match=message):
        init(table, folder, measure_time=False, **arguments)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
