"""Settings that override one or several of many configs."""

import pytest
from conftest import ROOT

from spacy_bertreg.training.overrides import overrides_by_config

CONFIGS = {
    "dictionary-best": ROOT / "configs" / "dictionary.cfg",
    "frozen": ROOT / "configs" / "bert.cfg",
    "full": ROOT / "configs" / "bert.cfg",
}
FREEZE = "components.transformer.model.freeze"
READOUT = "components.dictionary_regressor.readout"


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"training.dropout": 0.3}, [{"training.dropout": 0.3}] * 3),
        ({READOUT: "ridge"}, [{READOUT: "ridge"}, {}, {}]),
        # All have the section, but only some the setting.
        ({"paths.transformer": "x"}, [{}, {"paths.transformer": "x"}, {"paths.transformer": "x"}]),
        ({"paths.new": 1}, [{"paths.new": 1}] * 3),
        ({f"frozen.{FREEZE}": "all"}, [{}, {FREEZE: "all"}, {}]),
        # What is for one model goes before what is for all, in any order.
        ({f"frozen.{FREEZE}": "all", FREEZE: 2}, [{}, {FREEZE: "all"}, {FREEZE: 2}]),
        ({f"dictionary_best.{READOUT}": "ridge"}, [{READOUT: "ridge"}, {}, {}]),
    ],
)
def test_settings_go_where_they_fit(overrides, expected):
    found = overrides_by_config(CONFIGS, overrides)
    assert list(found) == list(CONFIGS)
    assert list(found.values()) == expected


@pytest.mark.parametrize(
    ("configs", "overrides", "message"),
    [
        (
            CONFIGS,
            {"components.textcat.x": 1},
            r"--components.textcat.x: no config has the section",
        ),
        (CONFIGS, {f"full.{READOUT}": 1}, r"has no section \[components.dictionary_regressor\]"),
        (CONFIGS, {"full.dropout": 1}, r"has no section \[\]"),
        ({"training": CONFIGS["full"]}, {}, "A model is named 'training', like a section"),
    ],
)
def test_settings_that_fit_nowhere(configs, overrides, message):
    with pytest.raises(ValueError, match=message):
        overrides_by_config(configs, overrides)


def test_configs_that_can_not_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.cfg does not exist"):
        overrides_by_config({"a": tmp_path / "none.cfg"}, {})
    (tmp_path / "bad.cfg").write_text("[")
    with pytest.raises(ValueError, match="Can't read .*bad.cfg"):
        overrides_by_config({"a": tmp_path / "bad.cfg"}, {})
