"""Train the network of 07_series.ipynb on forty years of weather: python train_catchment.py.

The notebook shows twenty other years of the same river. The network never sees them, nor the stores
of water in any. Takes about five minutes on two cores and writes catchment.keras beside this script.
"""

from pathlib import Path

import numpy as np
from portable import save

from lstm_widgets.datasets import catchment

SEED = 1
CHANNELS = [*catchment.INPUTS]
COLUMNS = [*CHANNELS, "discharge"]

learned, held_out = catchment.generate(40, seed=SEED + 1000), catchment.generate(20, seed=SEED)
mean, scale = learned[COLUMNS].mean(), learned[COLUMNS].std()
scaled = (learned[COLUMNS] - mean) / scale

model = catchment.build_model(seed=SEED)
losses = catchment.train(model, scaled[CHANNELS], scaled["discharge"], steps=3000, seed=SEED)

inputs = ((held_out[COLUMNS] - mean) / scale)[CHANNELS].to_numpy(np.float32)
windows = np.lib.stride_tricks.sliding_window_view(inputs, 365, axis=0).swapaxes(1, 2)
said = model.predict(windows, verbose=0)[:, 0] * scale["discharge"] + mean["discharge"]
was = held_out["discharge"].to_numpy()[364:]
efficiency = 1 - ((was - said) ** 2).sum() / ((was - was.mean()) ** 2).sum()
print(
    f"loss {np.mean(losses[-50:]):.4f} in the last steps, efficiency {efficiency:.3f} in new years"
)

save(model, Path(__file__).with_name("catchment.keras"))
