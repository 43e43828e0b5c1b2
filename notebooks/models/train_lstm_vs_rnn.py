"""Train the two networks of 04_lstm_vs_rnn.ipynb on one short text: python train_lstm_vs_rnn.py.

They differ in the kind of their cells. Takes about a minute on two cores and writes tide_lstm.keras
and tide_simplernn.keras beside this script.
"""

from pathlib import Path

from portable import save

from lstm_widgets.datasets import characters

SEED = 1
HERE = Path(__file__).parent

text = (HERE / "tide.txt").read_text("utf-8")
symbols = sorted(set(text))
ids = characters.encode(text, symbols)

for kind in ("LSTM", "SimpleRNN"):
    model = characters.build_model(len(symbols), kind=kind, cells=(16,), embedding=16, seed=SEED)
    losses = characters.train(model, ids, epochs=60, window=64, learning_rate=0.01, seed=SEED)
    print(f"{kind}: loss {losses[-1]:.3f}")
    save(model, HERE / f"tide_{kind.lower()}.keras")
