#!/usr/bin/python3
"""What PyTorch computes for a network, its weights and a batch that ask-pytorch.ts wrote into a folder.

    /usr/bin/python3 scripts/oracle/gradients.py FOLDER

Reads question.json and tensors.bin (float32), writes gradients.bin (float64, in the order of "gradients") and
answer.json: the loss in float64, each gradient's error in PyTorch's own float32, and loss curves in float64.
"""
import json
import pathlib
import sys

import numpy
import torch
from torch.nn.functional import cross_entropy

sys.dont_write_bytecode = True
from networks import make  # noqa: E402


def read_tensors(folder, question):
    data = numpy.fromfile(folder / "tensors.bin", dtype=numpy.float32)
    tensors = {}
    start = 0
    for name, dims in question["tensors"].items():
        end = start + int(numpy.prod(dims))
        tensors[name] = torch.from_numpy(data[start:end].reshape(dims))
        start = end
    return tensors


class Oracle:
    def __init__(self, question, tensors, dtype):
        self.images = tensors.pop("images").to(dtype)
        self.targets = tensors.pop("targets").to(dtype)
        self.network = make(question["network"]).to(dtype)
        state = self.network.state_dict()
        for name, tensor in tensors.items():  # a name that PyTorch does not know is an error
            state[name].copy_(tensor)
        parameters = dict(self.network.named_parameters())
        self.trained = {name: parameters[name] for name in question["gradients"]}

    def loss(self):
        return cross_entropy(self.network(self.images), self.targets)

    def gradients(self):
        loss = self.loss()
        return loss.item(), torch.autograd.grad(loss, self.trained.values())

    def curve(self, optimizer, steps):
        losses = []
        for _ in range(steps):
            optimizer.zero_grad()
            loss = self.loss()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses


def main(folder):
    folder = pathlib.Path(folder)
    question = json.loads((folder / "question.json").read_text())
    oracle = lambda dtype: Oracle(question, read_tensors(folder, question), dtype)  # noqa: E731
    loss, exact = oracle(torch.float64).gradients()
    _, single = oracle(torch.float32).gradients()
    errors = {}
    with open(folder / "gradients.bin", "wb") as file:
        for name, right, ours in zip(question["gradients"], exact, single):
            right.numpy().tofile(file)
            largest = right.abs().max().clamp(min=sys.float_info.min)  # a gradient may be zero everywhere
            errors[name] = ((ours.double() - right).abs().max() / largest).item()
    answer = {"loss": loss, "float32Errors": errors, "curves": {}}
    for kind, options in question["curves"].items():
        asked = oracle(torch.float64)
        rate = options["learningRate"]
        make_optimizer = {
            "sgd": lambda p: torch.optim.SGD(p, lr=rate, momentum=0.9),
            "adam": lambda p: torch.optim.Adam(p, lr=rate),
        }[kind]
        answer["curves"][kind] = asked.curve(make_optimizer(asked.trained.values()), options["steps"])
    (folder / "answer.json").write_text(json.dumps(answer))


main(*sys.argv[1:])
