"""The peer of `corun bench training`: PyTorch's step of one network, all parameters, SGD with momentum.

Arguments: fixture name, or a folder that graph_network.py reads; height, width, classes, batch, threads. First prints PyTorch's configuration as one JSON line; then,
for every line on standard input, makes one step and prints its milliseconds. So the caller interleaves the two.
"""
import json
import pathlib
import re
import sys
import time

import torch

import graph_network
import networks

name = sys.argv[1]
height, width, classes, batch, threads = map(int, sys.argv[2:])
torch.set_num_threads(threads)
torch.manual_seed(1)
model = graph_network.GraphNetwork(name) if pathlib.Path(name).is_dir() else networks.make(networks.listed()[name])
images = torch.rand(batch, 3, height, width) * 2 - 1
labels = torch.arange(batch) % classes
optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9)
shown = torch.__config__.show()
parts = [re.search(pattern, shown) for pattern in (r"BLAS_INFO=\w+", r"Intel\(R\) MKL-DNN v[\d.]+", r"CPU capability usage: \w+")]
configuration = ", ".join(part.group() for part in parts if part)
print(json.dumps({"version": torch.__version__, "configuration": configuration}), flush=True)

for _ in sys.stdin:
    started = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    loss = torch.nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    print((time.perf_counter() - started) * 1000, flush=True)
