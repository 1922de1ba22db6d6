import numpy as np
import spacy
from conftest import train


def test_normalized_vectors_learn_and_load(make_bert, make_examples):
    nlp = make_bert(freeze="none")
    config = nlp.config["components"]["text_regressor"]["model"]["tok2vec"]
    nlp.remove_pipe("text_regressor")
    nlp.add_pipe("text_regressor", config={"model": {"tok2vec": {**config, "normalize": True}}})
    examples = make_examples(nlp, 8)
    optimizer = nlp.initialize(lambda: examples)
    first, last = train(nlp, examples, optimizer, 1), train(nlp, examples, optimizer, 20)
    assert last < first
    texts = ["Shelling killed ten soldiers.", "", "A calm month."]
    predicted = [doc.cats["severity"] for doc in nlp.pipe(texts)]
    loaded = spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())
    again = [doc.cats["severity"] for doc in loaded.pipe(texts)]
    np.testing.assert_array_equal(again, predicted)
    vectors = loaded.get_pipe("text_regressor").model.get_ref("document_vectors")
    lengths = (vectors.predict(list(loaded.pipe(texts))) ** 2).mean(axis=1)
    np.testing.assert_allclose(lengths, [1, 0, 1], rtol=1e-5)
