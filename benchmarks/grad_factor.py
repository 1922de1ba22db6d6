"""How far a transformer moves that a stock listener "freezes" with grad_factor = 0.

    python benchmarks/grad_factor.py corpus/tweets/train.spacy assets/minilm

Twenty steps of 16 documents of spaCy's textcat, with the weight decay of spaCy's own transformer
configs, on spacy-transformers alone: nothing of this project takes part.
"""

import argparse
from pathlib import Path

import spacy
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.util import fix_random_seed, minibatch
from thinc.api import Adam

BATCH = 16
STEPS = 20
TEXTCAT = {
    "@architectures": "spacy.TextCatReduce.v1",
    "exclusive_classes": True,
    "use_reduce_first": False,
    "use_reduce_last": False,
    "use_reduce_max": False,
    "use_reduce_mean": True,
    "tok2vec": {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "grad_factor": 0.0,
        "pooling": {"@layers": "reduce_mean.v1"},
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="a .spacy file with one target")
    parser.add_argument("transformer", help="folder or Hugging Face name")
    args = parser.parse_args()

    fix_random_seed(0)
    nlp = spacy.blank("en")
    stock = {"@architectures": "spacy-transformers.TransformerModel.v3", "name": args.transformer}
    nlp.add_pipe("transformer", config={"model": stock})
    nlp.add_pipe("textcat", config={"model": TEXTCAT})
    docs = list(DocBin().from_disk(args.corpus).get_docs(nlp.vocab))[: BATCH * STEPS]
    examples = []
    for doc in docs:
        positive = float(next(iter(doc.cats.values())) > 0)
        cats = {"positive": positive, "negative": 1 - positive}
        examples.append(Example.from_dict(nlp.make_doc(doc.text), {"cats": cats}))
    nlp.initialize(lambda: examples)

    encoder = nlp.get_pipe("transformer").model.transformer
    before = {name: tensor.clone() for name, tensor in encoder.named_parameters()}
    optimizer = Adam(5e-5, L2=0.01, L2_is_weight_decay=True, use_averages=False)
    for batch in minibatch(examples, BATCH):
        nlp.update(batch, sgd=False)
        for _, component in nlp.pipeline:
            component.finish_update(optimizer)
    changes = [float((t - before[n]).abs().max()) for n, t in encoder.named_parameters()]
    print(
        f"{sum(change > 0 for change in changes)} of {len(changes)} tensors changed in {STEPS} "
        f"steps, by up to {max(changes):.2g}"
    )


if __name__ == "__main__":
    main()
