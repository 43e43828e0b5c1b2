"""Train the network of 02_language_model.ipynb on dialogue: python train_language_model.py.

Takes about five minutes on two cores and writes language_model.keras beside this script.
"""

from pathlib import Path

from portable import save

from lstm_widgets.datasets import characters, dialogue

SEED = 1

text = characters.encode(dialogue.generate(160_000, seed=SEED), dialogue.SYMBOLS)
held_out = characters.encode(dialogue.generate(10_000, seed=SEED + 1000), dialogue.SYMBOLS)

model = characters.build_model(
    len(dialogue.SYMBOLS), cells=(128, 128), dropout=0.1, l1=3e-5, seed=SEED
)
losses = characters.train(
    model,
    text,
    epochs=24,
    window=64,
    streams=32,
    learning_rate=0.005,
    weight_decay=0.05,
    seed=SEED,
)
print(
    f"loss {losses[-1]:.3f} in the last epoch, {characters.loss(model, held_out):.3f} on new text"
)
save(model, Path(__file__).with_name("language_model.keras"))
