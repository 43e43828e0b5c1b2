"""Hand the weights of the network of 02_language_model.ipynb to the PyTorch module of 08_pytorch.ipynb.

python language_model_pytorch.py writes language_model.pt beside this script, of language_model.keras.
"""

from pathlib import Path

import keras
import torch

HERE = Path(__file__).parent

weights = {}
for layer in keras.models.load_model(HERE / "language_model.keras").layers:
    arrays = [torch.tensor(array) for array in layer.get_weights()]
    if layer.name.startswith("lstm"):
        # Both have the gates in the order input, forget, candidate, output; PyTorch along the first axis,
        # and with a second bias.
        kernel, recurrent, bias = arrays
        number = int(layer.name[-1]) - 1
        weights[f"lstm.weight_ih_l{number}"] = kernel.T.contiguous()
        weights[f"lstm.weight_hh_l{number}"] = recurrent.T.contiguous()
        weights[f"lstm.bias_ih_l{number}"] = bias
        weights[f"lstm.bias_hh_l{number}"] = torch.zeros_like(bias)
    elif isinstance(layer, keras.layers.Embedding):
        weights["embed.weight"] = arrays[0]
    elif isinstance(layer, keras.layers.Dense):
        weights["head.weight"], weights["head.bias"] = arrays[0].T.contiguous(), arrays[1]
torch.save(weights, HERE / "language_model.pt")
