"""Train the second network of 07_series.ipynb on machines that wear out: python train_wear.py.

Takes about two minutes on two cores and writes wear.keras beside this script.
"""

from pathlib import Path

import numpy as np
from portable import save

from lstm_widgets.datasets import wear

SEED = 1

learned, held_out = wear.generate(150, seed=SEED), wear.generate(30, seed=SEED + 1000)
mean, scale = (getattr(learned[[*wear.SENSORS]], of)().to_numpy() for of in ("mean", "std"))
machines, others = wear.arrays(learned), wear.arrays(held_out)

model = wear.build_model(seed=SEED)
losses = wear.train(
    model, (machines.sensors - mean) / scale, machines.remaining / 100, epochs=150, seed=SEED
)
said = 100 * model.predict(np.nan_to_num((others.sensors - mean) / scale), verbose=0)[..., 0]
off = np.sqrt(np.nanmean((said - others.remaining) ** 2))
print(f"loss {losses[-1]:.4f} in the last epoch, off by {off:.1f} cycles on new machines")

shipped = wear.build_model()  # without what Adam needed to train it
shipped.set_weights(model.get_weights())
save(shipped, Path(__file__).with_name("wear.keras"))
