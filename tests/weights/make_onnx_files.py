#!/usr/bin/env python3
"""Writes data/onnx/: a small network as PyTorch exports it, for onnx_test.cpp. Needs PyTorch.

Element i of tensor n is i / 8 - n; each its own, because the exporter merges equal tensors.
"""
import pathlib

import torch

DATA = pathlib.Path(__file__).parent / "data" / "onnx"


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 4, 3, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(4)
        self.fc = torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(torch.relu(self.bn1(self.conv1(x))).mean((2, 3)))


def main():
    DATA.mkdir(parents=True, exist_ok=True)
    net = Net().eval()
    for n, tensor in enumerate(net.state_dict().values()):
        if tensor.is_floating_point():
            tensor.copy_((torch.arange(tensor.numel()) / 8 - n).view(tensor.shape))
    for name, options in {
            "kept.onnx": {"training": torch.onnx.TrainingMode.PRESERVE,
                          "do_constant_folding": False},
            "folded.onnx": {}}.items():
        torch.onnx.export(net, torch.zeros(2, 3, 8, 8), str(DATA / name), **options)


main()
