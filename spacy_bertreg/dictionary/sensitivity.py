"""Weights by the sensitivity of a neural network.

After Häffner, S., Hofer, M., Nagl, M. & Walterskirchen, J. (2023), Introducing an Interpretable
Deep Learning Approach to Domain-Specific Dictionary Creation, Political Analysis 31:481-499: a
network learns to predict the target from the words of a text, and a word weighs what the prediction
changes with it. The paper states neither its network nor its formula: all constants below are ours.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .candidates import Occurrences
from .features import Floats

if TYPE_CHECKING:
    import torch

HIDDEN_UNITS = 64
FIRST_WEIGHTS = 0.1
DROPOUT_TERMS = 0.2
DROPOUT_HIDDEN = 0.5
RATE = 0.0015
WEIGHT_DECAY = 0.001
BATCH = 32
MAX_EPOCHS = 8
N_NETWORKS = 3
# A step updates the weights of all candidates. More documents mean more steps and more candidates.
# Beyond these limits, batches grow, and the candidates of least spread are left out.
MAX_STEPS = 400
MAX_CANDIDATES = 20_000
READ_AT_ONCE = 8192


class Sensitivity:
    """Three networks, each with one hidden layer of 64 rectified linear units, on the occurrences
    of the 20,000 candidates of greatest spread, trained with AdamW. The weight of a candidate is
    the mean over the training documents of the derivative of the networks' output by the
    candidate's value; that of the other candidates is 0.

    setting (str): What a setting is called.
    n_settings (int): Number of epochs to choose from.
    n_threads (int): 1: most of the time goes into short steps that hold Python's lock.
    """

    setting = "epoch"
    n_settings = MAX_EPOCHS
    n_threads = 1

    def __init__(self, seed: int) -> None:
        """Set the seed of the first weights, the order of documents, and dropout."""
        self._seed = seed

    def fit(
        self, occurrences: Occurrences, target: Floats, last: int, weights: Floats | None = None
    ) -> Iterator[Floats]:
        """Train, and average the networks after each epoch. See `WeightEstimator.fit`."""
        seeds = range(self._seed, self._seed + N_NETWORKS)
        counts = np.ones(len(target)) if weights is None else weights / weights.mean()
        kept = np.sort(np.argsort(-occurrences.spread(), kind="stable")[:MAX_CANDIDATES])
        n_candidates = len(occurrences.terms)
        documents = Documents(occurrences.select_candidates(kept))
        networks = (_train(documents, target, counts, last + 1, seed) for seed in seeds)
        for sensitivities in zip(*networks, strict=True):
            term_weights = np.zeros(n_candidates)
            term_weights[kept] = np.mean(sensitivities, axis=0)
            yield term_weights


class Documents:
    """Occurrences as tensors, from which batches of documents are read."""

    def __init__(self, occurrences: Occurrences) -> None:
        """Copy the occurrences."""
        import torch

        self.n_candidates = len(occurrences.terms)
        self.n_occurrences = len(occurrences.candidates)
        self._starts = torch.from_numpy(occurrences.starts)
        self._lengths = self._starts.diff()
        self._candidates = torch.from_numpy(occurrences.candidates)
        self._scales = torch.from_numpy(occurrences.scales).float()

    def read(self, rows: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor", "torch.Tensor"]:
        """Read some documents.

        rows (Tensor): Their indices.
        RETURNS (tuple): The candidate and the value of each of their occurrences, and where each
            document's start in these.
        """
        import torch

        lengths = self._lengths[rows]
        offsets = lengths.cumsum(0) - lengths
        shifts = (self._starts[rows] - offsets).repeat_interleave(lengths)
        places = torch.arange(len(shifts)) + shifts
        return self._candidates[places], self._scales[rows].repeat_interleave(lengths), offsets


def _train(
    documents: Documents, target: Floats, counts: Floats, n_epochs: int, seed: int
) -> Iterator[Floats]:
    """Train a network and yield, after each epoch, its sensitivity to each candidate."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    # Small: where a term is too rare to learn, its first weights are all that it has.
    bound = FIRST_WEIGHTS * (len(target) / max(documents.n_occurrences, 1)) ** 0.5
    embed = torch.empty(documents.n_candidates, HIDDEN_UNITS)
    embed.uniform_(-bound, bound, generator=generator)
    bias = torch.empty(HIDDEN_UNITS)
    bias.uniform_(-FIRST_WEIGHTS, FIRST_WEIGHTS, generator=generator)
    bound = HIDDEN_UNITS**-0.5
    output = torch.empty(HIDDEN_UNITS).uniform_(-bound, bound, generator=generator)
    intercept = torch.zeros(1)
    parameters = [p.requires_grad_() for p in (embed, bias, output, intercept)]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=WEIGHT_DECAY, fused=True)

    gold = torch.from_numpy(target).float()
    count = torch.from_numpy(counts).float()
    batch = max(BATCH, -(-len(gold) // MAX_STEPS))

    def hidden(rows: "torch.Tensor", dropout: bool) -> "torch.Tensor":
        candidates, weights, offsets = documents.read(rows)
        if dropout:
            weights = weights * _keep(len(weights), DROPOUT_TERMS, generator)
        summed = torch.nn.functional.embedding_bag(
            candidates, embed, offsets, mode="sum", per_sample_weights=weights
        )
        return summed + bias

    for _ in range(n_epochs):
        order = torch.randperm(len(gold), generator=generator)
        for rows in order.split(batch):
            units = hidden(rows, dropout=True).relu()
            kept = _keep(units.numel(), DROPOUT_HIDDEN, generator).view_as(units)
            errors = (units * kept) @ output + intercept - gold[rows]
            loss = (errors.square() * count[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            # The output's derivative by a unit's input is the unit's weight where it is active.
            active = torch.zeros(HIDDEN_UNITS)
            for rows in torch.arange(len(gold)).split(READ_AT_ONCE):
                is_active = (hidden(rows, dropout=False) > 0).float()
                active += (is_active * count[rows, None]).sum(dim=0)
            sensitivity = (embed @ (active / len(gold) * output)).double().numpy()
        yield sensitivity


def _keep(n: int, dropout: float, generator: "torch.Generator") -> "torch.Tensor":
    import torch

    return (torch.rand(n, generator=generator) >= dropout).float() / (1 - dropout)
