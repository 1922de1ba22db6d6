import pytest
import transformers

from spacy_bertreg.freezing import block_of, check_freeze, count_blocks, frozen_names

SMALL = {
    "vocab_size": 30,
    "hidden_size": 8,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 20,
}
DISTIL = {"vocab_size": 30, "dim": 8, "n_layers": 3, "n_heads": 2, "hidden_dim": 16}
DEBERTA = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "conv_kernel_size": 3}
ARCHITECTURES = {
    "bert": ("Bert", SMALL),
    "roberta": ("Roberta", SMALL),
    "distilbert": ("DistilBert", DISTIL),
    "electra": ("Electra", {**SMALL, "embedding_size": 4}),
    "deberta-v2": ("DebertaV2", {**SMALL, **DEBERTA, "norm_rel_ebd": "layer_norm"}),
    "mpnet": ("MPNet", SMALL),
}
ALBERT = ("Albert", {**SMALL, "embedding_size": 4})


def parameter_names(prefix: str, settings: dict) -> list[str]:
    config = getattr(transformers, f"{prefix}Config")(**settings)
    model = getattr(transformers, f"{prefix}Model")(config)
    return [name for name, _ in model.named_parameters()]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def names(request) -> list[str]:
    return parameter_names(*ARCHITECTURES[request.param])


def test_every_parameter_has_its_block(names):
    assert count_blocks(names) == 3
    blocks = {name: block_of(name) for name in names}
    assert {b for b in blocks.values() if b != "pooler"} == {"embeddings", 0, 1, 2}
    sizes = {block: list(blocks.values()).count(block) for block in (1, 2)}
    assert sizes[1] == sizes[2] > 10
    for name, block in blocks.items():
        assert (block == "pooler") == name.startswith("pooler")
        assert isinstance(block, int) == ("layer." in name or ".conv." in name)


def test_keywords(names):
    assert frozen_names("none", names) == set()
    assert frozen_names("all", names) == set(names)
    embeddings = frozen_names("embeddings", names)
    assert embeddings == {
        n for n in names if "layer." not in n and "pooler" not in n and ".conv." not in n
    }
    assert any("embeddings.word_embeddings" in name for name in embeddings)


def test_numbers_freeze_from_below(names):
    frozen = [frozen_names(n, names) for n in range(4)]
    assert frozen[0] == frozen_names("embeddings", names)
    for n in range(1, 4):
        added = frozen[n] - frozen[n - 1]
        assert frozen[n] > frozen[n - 1]
        assert {block_of(name) for name in added} == {n - 1}
    assert {block_of(name) for name in set(names) - frozen[3]} <= {"pooler"}
    with pytest.raises(ValueError, match="freeze is 4 .* the model has 3 blocks .* from 0 to 3"):
        frozen_names(4, names)


def test_globs(names):
    assert frozen_names(["*"], names) == set(names)
    assert frozen_names(["*layer.1.*"], names) == {n for n in names if "layer.1." in n}
    assert frozen_names(["embeddings.*", "*.bias"], names) == {
        n for n in names if n.startswith("embeddings.") or n.endswith(".bias")
    }


def test_a_glob_without_a_match_lists_near_names(names):
    word_embeddings = next(name for name in names if "word_embeddings" in name)
    with pytest.raises(ValueError, match=f"'embeddings.word_embedding' .*{word_embeddings}"):
        frozen_names(["*", "embeddings.word_embedding"], names)


def test_albert_shares_its_blocks():
    names = parameter_names(*ALBERT)
    assert "blocks (shared)" in {block_of(name) for name in names}
    assert frozen_names("embeddings", names) == {
        n for n in names if n.startswith("embeddings") or "embedding_hidden_mapping_in" in n
    }
    with pytest.raises(ValueError, match="freeze is 1 .* share their parameters"):
        frozen_names(1, names)


@pytest.mark.parametrize("freeze", ["none", "all", "embeddings", 0, 12, ["*"], ["a", "b.*"]])
def test_allowed_values(freeze):
    assert check_freeze(freeze) == freeze


@pytest.mark.parametrize("freeze", ["al", "3", "", -1, True, 1.5, [], [1], None, {"a": 1}])
def test_other_values_are_refused(freeze):
    with pytest.raises(ValueError, match=r"freeze is .* in \[components.transformer.model\]"):
        check_freeze(freeze)


@pytest.mark.parametrize("keyword", ["none", "all", "embeddings"])
def test_keywords_among_globs_contradict_them(keyword):
    with pytest.raises(ValueError, match=f"lists '{keyword}' among globs"):
        check_freeze(["encoder.*", keyword])
