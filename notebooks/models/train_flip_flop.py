"""Train the three networks of 10_state_space.ipynb: python train_flip_flop.py.

An LSTM, a GRU and a SimpleRNN learn to hold three bits. Takes about two minutes on two cores and
writes flip_flop_lstm.keras, flip_flop_gru.keras and flip_flop_simplernn.keras beside this script.
"""

from pathlib import Path

import numpy as np
from portable import save

from lstm_widgets.datasets import flip_flop

SEED = 1
HERE = Path(__file__).parent

trials = flip_flop.generate(1024, seed=SEED)
unseen = flip_flop.generate(256, timesteps=200, seed=SEED + 1)

for kind in flip_flop.KINDS:
    model = flip_flop.build_model(kind=kind, cells=16, seed=SEED)
    losses = flip_flop.train(model, trials, epochs=60, seed=SEED)
    right = np.sign(model.predict(unseen.pulses, verbose=0)) == unseen.bits
    print(f"{kind}: loss {losses[-1]:.5f}, {right.mean():.2%} of the bits of new trials")
    bare = flip_flop.build_model(
        kind=kind, cells=16
    )  # without what Adam remembers: a third as large
    bare.set_weights(model.get_weights())
    save(bare, HERE / f"flip_flop_{kind.lower()}.keras")
