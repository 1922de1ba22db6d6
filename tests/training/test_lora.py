import pytest

from spacy_bertreg.training.lora import Lora, check_lora


def test_settings_and_their_defaults():
    assert check_lora(None, "none") is None
    assert check_lora({}, "all") == Lora(rank=8, alpha=16.0, targets=None, dropout=0.0)
    settings = {"rank": 2, "alpha": 4, "targets": ["query"], "dropout": 0.1}
    assert check_lora(settings, "all") == Lora(2, 4, ("query",), 0.1)


@pytest.mark.parametrize("freeze", ["none", "embeddings", 2, ["*.weight"]])
def test_adapters_need_all_else_frozen(freeze):
    with pytest.raises(ValueError, match="beside lora .* Expected freeze = 'all'.* or lora = null"):
        check_lora({"rank": 8}, freeze)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rnk": 8}, r"Unknown key 'rnk' in \[.*lora\]. Expected rank, .*Did you mean rank\?"),
        ({"r": 8}, r"Unknown key 'r' in \[.*lora\]. Expected rank, alpha, targets, dropout"),
        ({"rank": 0}, r"rank is 0 in \[.*lora\]. Expected 1, 2 or more"),
        ({"rank": 1.5}, r"rank is 1.5"),
        ({"rank": True}, r"rank is True"),
        ({"alpha": 0}, r"alpha is 0 .* above 0"),
        ({"alpha": float("nan")}, r"alpha is nan"),
        ({"targets": "query"}, r"targets is 'query' .* a list of layers' names, or null"),
        ({"targets": []}, r"targets is \[\]"),
        ({"targets": [1]}, r"targets is \[1\]"),
        ({"dropout": 1.0}, r"dropout is 1.0 .* from 0 to below 1"),
        ({"dropout": None}, r"dropout is None"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        check_lora(settings, "all")
