import json

import pandas as pd
import pytest
import spacy
from conftest import ROOT, train
from spacy.training import Corpus

from spacy_bertreg.comparison.calibrate import calibrate
from spacy_bertreg.comparison.compare import compare
from spacy_bertreg.comparison.files import write_comparison
from spacy_bertreg.comparison.models import Model, Run
from spacy_bertreg.comparison.reporting import describe_model
from spacy_bertreg.data.convert import convert


@pytest.fixture(scope="module")
def written(sample, tiny_bert, tmp_path_factory):
    """Files of a comparison of a BERT, a calibrated dictionary and a table of predictions."""
    folder = tmp_path_factory.mktemp("reporting")
    sample.to_csv(folder / "sample.csv", index=False)
    convert(folder / "sample.csv", folder, targets=["severity"], id_column="id", group="region")
    paths = {"paths.transformer": tiny_bert, "components.transformer.model.freeze": "embeddings"}
    config = spacy.util.load_config(ROOT / "configs" / "bert.cfg", overrides=paths)
    nlp = spacy.util.load_model_from_config(config)
    examples = list(Corpus(folder / "train.spacy")(nlp))[:16]
    train(nlp, examples, nlp.initialize(lambda: examples), steps=2)
    nlp.to_disk(folder / "bert")
    nlp = spacy.blank("en")
    nlp.add_pipe("dictionary_regressor", config={"transform": "log1p"})
    settings = {"lexicon": str(ROOT / "corpus" / "terms.csv")}
    nlp.config["initialize"]["components"]["dictionary_regressor"] = settings
    nlp.initialize(lambda: list(Corpus(folder / "train.spacy")(nlp)))
    nlp.to_disk(folder / "dictionary")
    calibrate(folder / "dictionary", folder / "dev.spacy", level=0.8)
    docs = [example.reference for example in Corpus(folder / "test.spacy")(nlp)]
    rows = [(doc.user_data["id"], doc.cats["severity"], 1.5) for doc in docs]
    table = pd.DataFrame(rows, columns=["id", "target", "prediction"])
    table.to_csv(folder / "language-model.csv", index=False)
    models = [f"{folder / name}" for name in ("bert", "dictionary", "language-model.csv")]
    comparison = compare(folder / "test.spacy", models, n_resamples=100)
    write_comparison(comparison, folder / "report")
    return folder, comparison, (folder / "report" / "reporting.md").read_text(encoding="utf-8")


def test_it_says_what_was_trained(written, tiny_bert):
    folder, _, text = written
    report = spacy.load(folder / "bert").meta["freeze_report"]
    assert 0 < report["trainable"] < report["parameters"]
    names = ("bert", "dictionary", "language-model")
    sections = {n: text.partition(f"### {n}\n")[2].partition("## ")[0] for n in names}
    bert, dictionary, other = sections.values()
    assert f'`{tiny_bert}`, `freeze = "embeddings"`: {report["trainable"]:,} of ' in bert
    assert "It learned from 16 different texts." in bert
    assert '`loss = "spacy-bertreg.squared.v1"`' in bert
    assert "It gives no prediction intervals." in bert
    assert "Trainings: 1, with seed 0; at most 1,840 steps" in bert
    assert f"`{folder / 'bert'}/config.cfg`" in bert
    n_train = len(list(Corpus(folder / "train.spacy")(spacy.blank("en"))))
    n_dev = len(list(Corpus(folder / "dev.spacy")(spacy.blank("en"))))
    assert f"It learned from {n_train:,} different texts." in dictionary
    assert '`transform = "log1p"`' in dictionary
    assert "terms.csv" in dictionary
    assert f"`plain`, level 80%, calibrated on documents: {n_dev} for `severity`." in dictionary
    assert "Transformer" not in dictionary
    assert "steps" not in dictionary
    assert f"`{folder / 'language-model.csv'}`. How they were made: …" in other


def test_it_describes_the_test_set(written):
    _, comparison, text = written
    gold = comparison.test.gold["severity"]
    n_groups = len(set(comparison.test.groups))
    assert f"`severity`: known for {len(gold)} documents ({n_groups} groups)" in text
    assert f"mean {gold.mean():.3f}, standard deviation {gold.std():.3f}" in text
    assert comparison.verdicts["sentence"][0] in text
    assert all(warning in text for warning in comparison.warnings)
    assert f"spacy {spacy.__version__}" in text


def test_facts_are_in_the_json(written):
    folder, _, _ = written
    data = json.loads((folder / "report" / "comparison.json").read_text(encoding="utf-8"))
    runs = {model["name"]: model["runs"][0] for model in data["models"]}
    assert runs["bert"]["facts"]["transformer"]["freeze"] == "embeddings"
    assert runs["dictionary"]["facts"]["regressors"]["dictionary_regressor"]["texts"] > 0
    assert "facts" not in runs["language-model"]


def make_run(seed, seconds, **regressor):
    given = {"factory": "text_regressor", "texts": 5, "settings": {}, "intervals": None}
    regressors = {"a": given | regressor, "b": {**given, "texts": 7}}
    facts = {"seed": seed, "max_steps": 1, "seconds": seconds, "regressors": regressors}
    return Run(f"seed-{seed}", f"m/seed-{seed}", {}, facts=facts)


def test_seeds_and_forgotten_texts():
    model = Model("m", "pipeline", [make_run(0, 10.0, texts=None), make_run(1, 20.0)])
    lines = describe_model(model)
    assert "The number of texts that it learned from is not in the pipeline: …" in lines
    assert "Trainings: 2, with seeds 0, 1; 15 s each, on (processor or GPU): …" in lines


def test_a_regressor_of_several_is_described_alone():
    lines = describe_model(Model("m:b", "pipeline", [make_run(0, None)]))
    assert "It learned from 7 different texts." in lines
    assert "It learned from 5 different texts." not in lines
