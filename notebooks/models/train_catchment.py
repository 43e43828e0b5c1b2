"""Train the network of 07_series.ipynb on the weather of twelve years: python train_catchment.py.

It never sees the eight years after them, nor the stores of water in any. Takes about two minutes on
two cores and writes catchment.keras beside this script.
"""

from pathlib import Path

import numpy as np

from lstm_widgets.datasets import catchment

SEED = 1
LEARNED = slice("2000-10-01", "2012-09-30")  # the rest is held out

days = catchment.generate(20, seed=SEED)
columns = [*catchment.INPUTS, "discharge"]
mean, scale = days.loc[LEARNED, columns].mean(), days.loc[LEARNED, columns].std()
scaled = (days[columns] - mean) / scale
inputs = scaled[[*catchment.INPUTS]].to_numpy(np.float32)

model = catchment.build_model(seed=SEED)
learned = len(days.loc[LEARNED])
losses = catchment.train(model, inputs[:learned], scaled.discharge[:learned], steps=1200, seed=SEED)

windows = np.lib.stride_tricks.sliding_window_view(inputs, 365, axis=0).swapaxes(1, 2)
said = model.predict(windows[learned - 364 :], verbose=0)[:, 0] * scale.discharge + mean.discharge
was = days.discharge[learned:]
efficiency = 1 - ((was - said) ** 2).sum() / ((was - was.mean()) ** 2).sum()
print(
    f"loss {np.mean(losses[-50:]):.4f} in the last steps, efficiency {efficiency:.3f} in new years"
)

model.save(Path(__file__).with_name("catchment.keras"))
