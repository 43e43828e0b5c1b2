"""Train the two networks of 03_xml.ipynb on XML: python train_xml.py.

They differ in one thing: the second one is trained with L1 activity regularisation. Takes about five
minutes on two cores and writes xml.keras and xml_l1.keras beside this script.
"""

from pathlib import Path

from portable import save

from lstm_widgets.datasets import characters, xml

SEED = 1
NETWORKS = {"xml": 0.0, "xml_l1": 1e-4}

text = characters.encode(xml.generate(160_000, seed=SEED), xml.SYMBOLS)
held_out = characters.encode(xml.generate(10_000, seed=SEED + 1000), xml.SYMBOLS)

for name, l1 in NETWORKS.items():
    model = characters.build_model(len(xml.SYMBOLS), cells=(50, 50), embedding=16, l1=l1, seed=SEED)
    characters.train(
        model,
        text,
        epochs=30,
        window=64,
        streams=32,
        learning_rate=0.006,
        weight_decay=0.05,
        seed=SEED,
    )
    print(f"{name}: loss {characters.loss(model, held_out):.3f} on new text")
    save(model, Path(__file__).with_name(f"{name}.keras"))
