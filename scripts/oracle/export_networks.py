#!/usr/bin/python3
"""Exports torchvision's networks to ONNX with random weights, for strip-weights.ts to make fixtures of.

    apt-get install python3-torch python3-torchvision
    /usr/bin/python3 scripts/oracle/export_networks.py FOLDER [NETWORK...]

Initializers carry the names of the state dict, except where batch normalization is folded away. The weights are
such that activations neither vanish nor explode: see randomize. The batch is dynamic.
"""
import pathlib
import sys

import torch
from torch.onnx import TrainingMode

sys.dont_write_bytecode = True
from networks import listed, make  # noqa: E402


def spread_around(tensor, mean, spread):
    """Uniform, of this mean and standard deviation."""
    reach = spread * 3**0.5
    tensor.uniform_(mean - reach, mean + reach)


@torch.no_grad()
def randomize(network, images):
    """Weights with He's fan-in scale; statistics that hold for this input, layer by layer and not channel by channel,
    so that a refill with other numbers of the same mean and spread keeps activations in range too."""
    for name, tensor in network.named_parameters():
        kind = name.split(".")[-1]
        if kind == "layer_scale":
            spread_around(tensor, 0.4, 0.1)
        elif kind in ("pos_embedding", "class_token"):
            spread_around(tensor, 0, 0.5)
        elif tensor.dim() > 1:
            spread_around(tensor, 0, (2 / tensor[0].numel()) ** 0.5)
        elif kind == "weight":
            spread_around(tensor, 1, 0.15)
        else:
            spread_around(tensor, 0, 0.1)

    def calibrate(layer, inputs):
        power = inputs[0].square().mean().item()
        spread_around(layer.running_mean, 0, 0.1 * power**0.5)
        spread_around(layer.running_var, power, 0.15 * power)

    layers = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    hooks = [layer.register_forward_pre_hook(calibrate) for layer in layers]
    logits = network(images)
    for hook in hooks:
        hook.remove()
    return logits.std().item()


def export(network, entry, images, file):
    folded = entry.get("folded", False)
    torch.onnx.export(
        network,
        images,
        file,
        input_names=["input"],
        output_names=["logits"],
        dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}},
        opset_version=entry["opset"],
        # PRESERVE keeps the exporter from merging batch normalization into convolutions; the mode stays evaluation.
        training=TrainingMode.EVAL if folded else TrainingMode.PRESERVE,
        do_constant_folding=folded,
    )


def main(folder, *names):
    networks = listed()
    for name in names or networks:
        entry = networks[name]
        torch.manual_seed(1)
        network = make(entry)
        images = torch.rand(2, 3, entry["size"], entry["size"]) * 2 - 1
        spread = randomize(network, images)
        file = pathlib.Path(folder) / f"{name}.onnx"
        export(network, entry, images, str(file))
        print(f"{name}: {file.stat().st_size / 1e6:.1f} MB, logits spread {spread:.2g}", flush=True)


main(*sys.argv[1:])
