"""torch's threads in forks of a program that uses the package."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os
import sys

import spacy
import torch

torch.set_num_threads(2)
from spacy_transformers.data_classes import TransformerData

from spacy_bertreg.layers.pool_wordpieces import pool_wordpieces
from spacy_bertreg.models.transformer_model import TransformerModel_v1

model = TransformerModel_v1(sys.argv[1])
model.initialize()
docs = [spacy.blank("en")(text) for text in ("The market was quiet.", "Calm. " * 90)]
pooled = model.predict(docs).doc_data


def uses_nothing():
    pass


def loads():
    TransformerModel_v1(sys.argv[1])


def scores():
    # The first thing that is done with the model is done on one thread.
    model.attrs["get_spans"] = lambda docs, get=model.attrs["get_spans"]: (
        get(docs) if torch.get_num_threads() == 1 else os._exit(9)
    )
    model.predict(docs)


def computes_by_token():
    pooled[0].model_output


def pools():
    layer.predict([stock])


# As what would make a fork hang.
torch.ones(500, 500) @ torch.ones(500, 500)
layer = pool_wordpieces("mean")
layer.set_dim("nO", 64)
stock = TransformerData.zeros(3, 64)
for use in (uses_nothing, loads, scores, computes_by_token, pools):
    child = os.fork()
    if not child:
        use()
        os._exit(torch.get_num_threads())
    print(use.__name__, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print("parent", torch.get_num_threads())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_only_forks_that_use_a_transformer_have_one_thread(tiny_bert):
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, tiny_bert]
    run = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=environment, check=False
    )
    assert run.returncode == 0, run.stderr
    found = dict(line.split() for line in run.stdout.splitlines() if " " in line)
    assert {name: int(n) for name, n in found.items() if name in PROGRAM or name == "parent"} == {
        "uses_nothing": 2,
        "loads": 1,
        "scores": 1,
        "computes_by_token": 1,
        "pools": 1,
        "parent": 2,
    }
