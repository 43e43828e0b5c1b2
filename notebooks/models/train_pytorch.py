"""Train the module of 08_pytorch.ipynb on paragraphs of dialogue: python train_pytorch.py.

Takes less than a minute on two cores and writes pytorch.pt beside this script: the weights, and the
words that ids stand for.
"""

import re
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from lstm_widgets.datasets import dialogue

SEED = 1
L1 = 0.01  # on the upper layer's hidden states: few cells on, so that each means something


class WordModel(nn.Module):
    """What the notebook shows; it also hands out the hidden states, for the penalty."""

    def __init__(self, words: int, embedding: int = 32, cells: int = 64) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, embedding, padding_idx=0)
        self.lstm = nn.LSTM(embedding, cells, num_layers=2, batch_first=True)
        self.head = nn.Linear(cells, words)

    def forward(
        self, ids: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the scores of what comes next, and the upper hidden states."""
        packed = pack_padded_sequence(
            self.embed(ids), lengths, batch_first=True, enforce_sorted=False
        )
        hidden, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.head(hidden), hidden


def paragraphs(characters: int, *, seed: int) -> list[list[str]]:
    """Give paragraphs, each as its words (with the space before them), digits and marks."""
    written = dialogue.generate(characters, seed=seed).split("\n\n")
    return [re.findall(r" ?[A-Za-z’]+| ?.|\n", part + "\n") for part in written if "." in part]


def collate(examples: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pad a batch: what is read, its lengths, and what comes next, -100 behind the end."""
    read = pad_sequence([ids[:-1] for ids in examples], batch_first=True)
    following = pad_sequence([ids[1:] for ids in examples], batch_first=True, padding_value=-100)
    return read, torch.tensor([len(ids) - 1 for ids in examples]), following


torch.set_num_threads(1)  # steps so small are not shared out well
torch.manual_seed(SEED)
written, unseen = paragraphs(160_000, seed=SEED), paragraphs(10_000, seed=SEED + 1000)
words = ["", *sorted({word for part in written for word in part})]  # 0 is padding
ids_of = {word: k for k, word in enumerate(words)}
learned, held_out = (
    [torch.tensor([ids_of[word] for word in part]) for part in parts] for parts in (written, unseen)
)

model = WordModel(len(words))
learned.sort(key=len)  # a batch has paragraphs of about one length
batches = [collate(learned[k : k + 64]) for k in range(0, len(learned), 64)]
EPOCHS = 12
adam = torch.optim.Adam(model.parameters())
rates = torch.optim.lr_scheduler.OneCycleLR(adam, 0.01, total_steps=EPOCHS * len(batches))
for _ in range(EPOCHS):
    for k in torch.randperm(len(batches)):
        read, lengths, following = batches[k]
        scores, hidden = model(read, lengths)
        loss = cross_entropy(scores.flatten(0, 1), following.flatten())
        adam.zero_grad()
        (loss + L1 * hidden.abs().sum(2).mean()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        rates.step()

with torch.no_grad():
    read, lengths, following = collate(held_out)
    new = cross_entropy(model(read, lengths)[0].flatten(0, 1), following.flatten())
print(f"loss {loss.item():.3f} in the last batch, {new.item():.3f} on new paragraphs")
torch.save({"words": words, "weights": model.state_dict()}, Path(__file__).with_name("pytorch.pt"))
