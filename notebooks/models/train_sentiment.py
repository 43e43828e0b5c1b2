"""Train the network of 05_sentiment.ipynb on generated reviews: python train_sentiment.py.

Takes less than a minute on two cores and writes sentiment.keras beside this script.
"""

from pathlib import Path

from portable import save

from lstm_widgets.datasets import reviews

SEED = 1

learned = reviews.arrays(reviews.generate(4000, seed=SEED))
held_out = reviews.arrays(reviews.generate(2000, seed=SEED + 1000))

model = reviews.build_model(seed=SEED)
losses = reviews.train(model, learned.ids, learned.labels, epochs=10, seed=SEED)
right = (model.predict(held_out.ids, verbose=0).argmax(axis=1) == held_out.labels).mean()
print(f"loss {losses[-1]:.4f} in the last epoch, {right:.1%} of the new reviews right")

shipped = reviews.build_model()  # without what Adam needed to train it
shipped.set_weights(model.get_weights())
save(shipped, Path(__file__).with_name("sentiment.keras"))
