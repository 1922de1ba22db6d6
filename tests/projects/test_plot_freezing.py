import json
import sys

import pandas as pd
import pytest
from plot_freezing import main


def test_table_and_plots(tmp_path, monkeypatch, capsys):
    metrics, report = tmp_path / "metrics", tmp_path / "report"
    metrics.mkdir()
    runs = [("all", 1000, 0.8), ("head only", 10, 0.5), ("LoRA", 100, 0.7)]
    for seed in (0, 1):
        for level, trained, r2 in runs:
            run = {"level": level, "seed": seed, "trained": trained}
            run.update(reg_r2=r2 + seed / 100, reg_mse=1 - r2)
            (metrics / f"{level}-{seed}.json").write_text(json.dumps(run))
    monkeypatch.setattr(sys, "argv", ["plot_freezing.py", str(metrics), str(report)])
    main()
    table = pd.read_csv(report / "freezing.csv")
    assert table["trained"].tolist() == [10, 10, 100, 100, 1000, 1000]
    assert table["r2"].tolist() == pytest.approx([0.5, 0.51, 0.7, 0.71, 0.8, 0.81])
    assert (report / "freezing.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (report / "freezing.svg").read_text(encoding="utf-8")
    assert "LoRA" in capsys.readouterr().out


def test_no_scores(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["plot_freezing.py", str(tmp_path), str(tmp_path)])
    with pytest.raises(SystemExit, match="has no scores"):
        main()
