"""How much `bertreg init` lets a transformer read at once."""

import shutil

import pytest
import spacy
from transformers import AutoConfig, AutoTokenizer, BertConfig, BertModel

from spacy_bertreg.project import timing
from spacy_bertreg.project.init import init
from spacy_bertreg.project.windows import USUAL, choose_windows


@pytest.fixture
def make_bert_with(tiny_bert, tmp_path):
    def make(positions: int, says: int | None = None) -> str:
        folder = tmp_path / f"bert-{positions}"
        shutil.copytree(tiny_bert, folder)
        tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=says or int(1e30))
        tokenizer.save_pretrained(folder)
        config = BertConfig.from_pretrained(folder, max_position_embeddings=positions)
        BertModel(config).save_pretrained(folder)
        return str(folder)

    return make


def docs_of(*lengths: int):
    nlp = spacy.blank("en")
    return [nlp.make_doc("market " * length) for length in lengths]


@pytest.mark.parametrize(
    ("positions", "says", "lengths", "window"),
    [
        (512, None, [900] * 40, 128),  # a usual encoder
        (2048, 512, [900] * 40, 128),  # whose tokenizer says so
        (2048, None, [100] * 39 + [2000], 128),  # short documents
        (2048, None, [300] * 39 + [2000], 320),
        (2048, None, [5000] * 40, 1024),
        (700, None, [5000] * 40, 672),
    ],
)
def test_it_depends_on_the_transformer_and_the_documents(
    make_bert_with, positions, says, lengths, window
):
    found = choose_windows(docs_of(*lengths), make_bert_with(positions, says))
    assert found.window == window
    assert found.stride == window * 3 // 4
    assert (found == USUAL) == (window == 128)
    assert not found.is_cut


@pytest.mark.parametrize(
    ("family", "settings", "window"),
    [
        ("modernbert", {"max_position_embeddings": 8192}, 480),
        ("roberta", {"max_position_embeddings": 514}, 128),
        ("deberta-v2", {"position_biased_input": False, "relative_attention": True}, 128),
        ("xlnet", {"d_model": 16, "n_head": 2}, 480),
    ],
)
def test_families(tiny_bert, tmp_path, family, settings, window):
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert, model_max_length=int(1e30))
    tokenizer.save_pretrained(tmp_path)
    AutoConfig.for_model(family, **settings).save_pretrained(tmp_path)
    assert choose_windows(docs_of(*[460] * 40), str(tmp_path)).window == window


def test_chosen_by_hand(make_bert_with, tmp_path):
    docs = docs_of(*[300] * 40)
    bert = make_bert_with(256)
    assert choose_windows(docs, bert, 128) == USUAL
    assert choose_windows(docs, bert, 200)[:2] == (200, 150)
    assert not choose_windows(docs, bert, 200).is_cut
    assert choose_windows(docs, bert, 255).is_cut
    assert choose_windows(docs, str(tmp_path / "nowhere"), 200)[:2] == (200, 150)
    assert choose_windows(docs, str(tmp_path / "nowhere")) == USUAL
    with pytest.raises(ValueError, match="window is 3. Expected 4 tokens or more"):
        choose_windows(docs, bert, 3)


def test_a_project_with_long_windows(sample, make_bert_with, tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "MODELS", {"full": timing.MODELS["full"]})
    frame = sample.head(60).copy()
    frame["text"] = (frame["text"] + " ") * 8
    frame.to_csv(tmp_path / "table.csv", index=False)
    arguments = {"text": "text", "targets": ["severity"], "shares": (0.6, 0.2, 0.2)}
    bert = make_bert_with(2048)
    project = init(tmp_path / "table.csv", tmp_path / "mine", transformer=bert, **arguments)
    found = {finding.subject: finding for finding in project.findings}
    config = spacy.util.load_config(project.folder / "configs" / "bert.cfg")
    spans = config["components"]["transformer"]["model"]["get_spans"]
    window = spans["window"]
    assert 128 < window < 1024
    assert spans["stride"] == window * 3 // 4
    assert f"windows of {window} tokens" in found["Length"].choice
    assert "reads 2,048 word pieces at once" in found["Length"].choice
    assert f"with windows of {window} tokens, and" in found["Windows"].found
    assert f"windows of {window} tokens" in (project.folder / "README.md").read_text()
