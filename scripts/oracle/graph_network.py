"""A network that scripts/bench/torch-graph.ts wrote into a folder, as a PyTorch module.

graph.json: {"input", "output", "parameters": {name: dims}, "constants": {name: dims}, "nodes": [{"op", "inputs",
"output", "attributes"}]}; weights.bin: float32, parameters and then constants, in that order. Knows the operators of
the classifier that ships, each as one call of torch.nn.functional, as one would write the network by hand.
"""
import json
import math
import pathlib

import numpy
import torch
from torch.nn import functional


def conv(attributes, x, w, bias=None):
    pads = attributes.get("pads", [0, 0, 0, 0])
    rank = len(pads) // 2
    assert pads[:rank] == pads[rank:], f"uneven pads {pads}"
    return functional.conv2d(
        x, w, bias, attributes.get("strides", 1), pads[:rank], attributes.get("dilations", 1), attributes.get("group", 1)
    )


def batch_normalization(attributes, x, scale, bias, mean, variance):
    return functional.batch_norm(x, mean, variance, scale, bias, False, 0.0, attributes["epsilon"])


def max_pool(attributes, x):
    assert not any(attributes.get("pads", []))
    return functional.max_pool2d(x, attributes["kernel_shape"], attributes.get("strides"))


def hard_sigmoid(attributes, x):
    return (x * attributes.get("alpha", 0.2) + attributes.get("beta", 0.5)).clamp(0, 1)


OPERATORS = {
    "Add": lambda _, a, b: a + b,
    "BatchNormalization": batch_normalization,
    "Conv": conv,
    "GlobalAveragePool": lambda _, x: functional.adaptive_avg_pool2d(x, 1),
    "HardSigmoid": hard_sigmoid,
    "HardSwish": lambda _, x: functional.hardswish(x),
    "MatMul": lambda _, a, b: a @ b,
    "Gemm": lambda attributes, a, b, c=0: a @ (b.T if attributes.get("transB") else b) + c,
    "MaxPool": max_pool,
    "Mul": lambda _, a, b: a * b,
    "Relu": lambda _, x: functional.relu(x),
    "Reshape": lambda attributes, x: x.reshape(attributes["shape"]),
}


class GraphNetwork(torch.nn.Module):
    def __init__(self, folder):
        super().__init__()
        folder = pathlib.Path(folder)
        graph = json.loads((folder / "graph.json").read_text())
        data = numpy.fromfile(folder / "weights.bin", dtype=numpy.float32)
        self.input, self.output, self.nodes = graph["input"], graph["output"], graph["nodes"]
        self.known = {}
        start = 0
        for kind in ("parameters", "constants"):
            for name, dims in graph[kind].items():
                end = start + math.prod(dims)
                tensor = torch.from_numpy(data[start:end].reshape(dims).copy())
                if kind == "parameters":
                    tensor = torch.nn.Parameter(tensor)
                    self.register_parameter(name.replace(".", "/"), tensor)
                self.known[name] = tensor
                start = end

    def forward(self, images):
        values = {**self.known, self.input: images}
        for node in self.nodes:
            inputs = [values[name] for name in node["inputs"]]
            values[node["output"]] = OPERATORS[node["op"]](node["attributes"], *inputs)
        return values[self.output]
