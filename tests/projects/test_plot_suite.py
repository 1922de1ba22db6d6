import json
import sys

import pandas as pd
import plot_suite
import pytest
from conftest import ROOT

R2 = {"dictionary": 0.3, "dictionary-best": 0.5, "frozen": 0.2, "full": 0.6}


def write_set(folder, r2=R2, target="rating"):
    """Write what `compare` writes of a cross-validation, with intervals of ± 0.04."""
    ends = {"_low": -0.04, "": 0, "_high": 0.04}
    scores = [
        {"model": model, "target": target, "n": 1500, "n_groups": 300}
        | {f"r2{end}": value + by for end, by in ends.items()}
        for model, value in {**r2, "training mean": 0.0}.items()
    ]
    differences = []
    # The better model stands first, as in `compare`.
    for name in {"dictionary", "dictionary-best"} & set(r2):
        model, baseline = ("full", name) if r2["full"] > r2[name] else (name, "full")
        lead = r2[model] - r2[baseline]
        row = {"model": model, "baseline": baseline, "target": target}
        row |= {f"r2_difference{end}": lead + by for end, by in ends.items()}
        differences.append(row | {f"r2_folds{end}": lead + 2 * by for end, by in ends.items()})
    folder.mkdir(parents=True)
    content = {"scores": scores, "differences": differences}
    (folder / "comparison.json").write_text(json.dumps(content))


def run(folder, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["plot_suite.py", str(folder), *words])
    plot_suite.main()


def test_table_figure_and_counts(tmp_path, monkeypatch, capsys):
    # In the order of project.yml, not of names.
    write_set(tmp_path / "report" / "tweets")
    behind = {"dictionary": 0.44, "dictionary-best": 0.5, "frozen": 0.41, "full": 0.43}
    write_set(tmp_path / "report" / "empathic", behind, "empathy")
    (tmp_path / "raters").mkdir()
    for file in plot_suite.RATERS.values():
        table = pd.DataFrame({"id": "a", "n": 20, "mean": [-1.0, 1.0], "variance": [1.0, 3.0]})
        table.to_csv(tmp_path / "raters" / f"{file}.csv", index=False)
    run(tmp_path / "report", monkeypatch, "--raters", str(tmp_path / "raters"))
    out = capsys.readouterr().out
    assert out == (tmp_path / "report" / "suite.md").read_text(encoding="utf-8")
    tweets, reactions = (line for line in out.splitlines() if "1,500" in line)
    assert tweets.startswith("| tweets | 1,500 | 0.300 [0.260, 0.340] |")
    # 1 - (2 / 20) / 1
    assert tweets.endswith("| 0.600 [0.560, 0.640] | +0.100 [+0.060, +0.140] | 0.900 |")
    assert reactions.startswith("| reactions, empathy |")
    assert reactions.endswith("| -0.070 [-0.110, -0.030] | – |")
    for line in (
        "full > dictionary-best: 1 of 2",
        "full > dictionary > frozen: 1 of 2",
        "full > frozen: 2 of 2",
        "full ahead of the best dictionary by more than chance: 1 of 2",
        "full behind it by more than chance: 1 of 2",
    ):
        assert f"- {line}\n" in out
    table = pd.read_csv(tmp_path / "report" / "suite.csv")
    assert table["set"].tolist() == ["tweets"] * 4 + ["empathic"] * 4
    full = table[table["model"] == "full"]
    assert full["best_dictionary"].tolist() == ["dictionary-best"] * 2
    assert full["lead_folds_low"].tolist() == pytest.approx([0.02, -0.15])
    assert (tmp_path / "report" / "suite.png").read_bytes().startswith(b"\x89PNG")


def test_one_set_with_other_models(tmp_path, monkeypatch, capsys):
    write_set(tmp_path / "report" / "mine", R2 | {"lora": 0.55})
    run(tmp_path / "report", monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("| frozen | lora | full | full vs. best dictionary |")
    assert "ceiling" not in lines[0]


def test_a_set_counts_where_it_has_the_models(tmp_path, monkeypatch, capsys):
    write_set(tmp_path / "report" / "tweets")
    write_set(tmp_path / "report" / "nyt", {"dictionary": 0.3, "frozen": 0.35, "full": 0.4})
    run(tmp_path / "report", monkeypatch)
    out = capsys.readouterr().out
    assert "- full > dictionary-best: 1 of 1\n" in out
    assert "- full > dictionary > frozen: 1 of 2\n" in out
    assert "| editorials | 1,500 | 0.300 [0.260, 0.340] | – | 0.350" in out


def test_models_are_added_to_an_earlier_run(tmp_path, monkeypatch, capsys):
    write_set(tmp_path / "earlier" / "tweets")
    write_set(tmp_path / "earlier" / "empathic", target="empathy")
    write_set(tmp_path / "earlier" / "mine")
    run(tmp_path / "earlier", monkeypatch)
    # Its own BERT is not that of the earlier run, whose rows stay.
    new = {"dictionary": 0.25, "distilled": 0.45, "full": 0.65}
    write_set(tmp_path / "report" / "empathic", new, "empathy")
    write_set(tmp_path / "report" / "nyt", new)
    capsys.readouterr()
    run(tmp_path / "report", monkeypatch, "--add-to", str(tmp_path / "earlier" / "suite.csv"))
    table = pd.read_csv(tmp_path / "report" / "suite.csv")
    assert table["set"].unique().tolist() == ["tweets", "nyt", "empathic", "mine"]
    r2 = table[table["set"] == "empathic"].set_index("model")["r2"].to_dict()
    assert list(r2.items()) == [
        ("dictionary", 0.3),
        ("dictionary-best", 0.5),
        ("distilled", 0.45),
        ("frozen", 0.2),
        ("full", 0.6),
    ]
    out = capsys.readouterr().out
    assert "| reactions, empathy | 1,500 | 0.300 [0.260, 0.340] | 0.500 [0.460, 0.540] |" in out
    assert "- distilled > dictionary: 2 of 2\n" in out


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file"),
        ("", "No columns"),
        ("set,target\n", "no column 'ceiling'"),
        ("{heads}\nmine,rating,full,100,,0.5,much,0.6\n", "row 1, column 'r2_low': 'much' is no"),
        ("{heads}\nmine,rating,full,100,,,0.4,0.6\n", "row 1, column 'r2': 'nan' is no"),
    ],
)
def test_an_earlier_run_that_is_none(tmp_path, monkeypatch, capsys, content, problem):
    write_set(tmp_path / "report" / "tweets")
    earlier = tmp_path / "earlier.csv"
    if content is not None:
        heads = "set,target,model,documents,ceiling,r2,r2_low,r2_high"
        earlier.write_text(content.format(heads=heads))
    with pytest.raises(SystemExit):
        run(tmp_path / "report", monkeypatch, "--add-to", str(earlier))
    error = capsys.readouterr().err
    assert "earlier.csv can't be read as a suite.csv" in error
    assert problem in error
    assert not (tmp_path / "report" / "suite.csv").exists()


def test_the_docs_have_the_results():
    table = pd.read_csv(ROOT / "projects" / "suite" / "results.csv")
    page = (ROOT / "docs" / "why.md").read_text(encoding="utf-8")
    assert plot_suite.to_markdown(table) in page
    counts = [line[2:].split(": ") for line in plot_suite.summarize(table).splitlines()[2:]]
    assert len(counts) > 5
    for order, count in counts:
        assert f"| {order} | {count} |" in page
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for model in ("dictionary", "dictionary-best", "frozen", "full"):
        r2 = table.loc[table["model"] == model, "r2"]
        assert f"| {model} | {' | '.join(f'{value:.3f}' for value in r2)} |" in readme


def test_nothing_to_draw(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path, monkeypatch)
    assert "has no folder that compare wrote" in capsys.readouterr().err
    write_set(tmp_path / "report" / "tweets")
    with pytest.raises(SystemExit, match=r"tweets\.csv does not exist. Expected it from fetch"):
        run(tmp_path / "report", monkeypatch, "--raters", str(tmp_path))
