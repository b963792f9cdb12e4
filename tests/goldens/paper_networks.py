"""Networks that no package has, written in PyTorch from their papers, for make_goldens.py.

Their parameters have the names of include/lumbar/models.
"""

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import inception


class CifarBlock(nn.Module):
    """Two 3x3 convolutions; a shortcut of every second pixel, padded with zeros (option A)."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.stride = 1 if inputs == outputs else 2
        self.missing = outputs - inputs
        self.conv1 = nn.Conv2d(inputs, outputs, 3, self.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1:
            before = self.missing // 2
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, before, self.missing - before))
        return F.relu(y + x)


class CifarResNet(nn.Module):
    """arXiv:1512.03385, section 4.2: 6 n + 2 layers."""

    def __init__(self, n, num_classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        widths = [16, 16, 32, 64]
        for stage in (1, 2, 3):
            inputs = [widths[stage - 1]] + [widths[stage]] * (n - 1)
            blocks = [CifarBlock(channels, widths[stage]) for channels in inputs]
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, num_classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


INCEPTION_V1 = (  # arXiv:1409.4842, table 1
    ("3a", 64, 96, 128, 16, 32, 32),
    ("3b", 128, 128, 192, 32, 96, 64),
    ("4a", 192, 96, 208, 16, 48, 64),
    ("4b", 160, 112, 224, 24, 64, 64),
    ("4c", 128, 128, 256, 24, 64, 64),
    ("4d", 112, 144, 288, 32, 64, 64),
    ("4e", 256, 160, 320, 32, 128, 128),
    ("5a", 256, 160, 320, 32, 128, 128),
    ("5b", 384, 192, 384, 48, 128, 128),
)


class InceptionV1(nn.Module):
    """The paper's network, with the layers' names and local response normalisation of Caffe."""

    def __init__(self, num_classes=1000):
        super().__init__()
        self.layer("conv1/7x7_s2", 3, 64, 7, 2)
        self.layer("conv2/3x3_reduce", 64, 64, 1)
        self.layer("conv2/3x3", 64, 192, 3)
        channels = 192
        for name, one, reduce3, three, reduce5, five, pool in INCEPTION_V1:
            block = f"inception_{name}/"
            self.layer(block + "1x1", channels, one, 1)
            self.layer(block + "3x3_reduce", channels, reduce3, 1)
            self.layer(block + "3x3", reduce3, three, 3)
            self.layer(block + "5x5_reduce", channels, reduce5, 1)
            self.layer(block + "5x5", reduce5, five, 5)
            self.layer(block + "pool_proj", channels, pool, 1)
            channels = one + three + five + pool
        self.add_module("loss3/classifier", nn.Linear(channels, num_classes))
        self.relu = nn.ReLU()

    def layer(self, name, inputs, outputs, kernel, stride=1):
        self.add_module(name, nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2))

    def unit(self, x, name):
        return self.relu(getattr(self, name)(x))

    def block(self, x, name):
        name = f"inception_{name}/"
        three = self.unit(self.unit(x, name + "3x3_reduce"), name + "3x3")
        five = self.unit(self.unit(x, name + "5x5_reduce"), name + "5x5")
        pooled = self.unit(F.max_pool2d(x, 3, 1, 1), name + "pool_proj")
        return torch.cat([self.unit(x, name + "1x1"), three, five, pooled], 1)

    def forward(self, x):
        def halve(x):
            return F.max_pool2d(x, 3, 2, ceil_mode=True)

        def normalise(x):
            return F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0)

        x = normalise(halve(self.unit(x, "conv1/7x7_s2")))
        x = self.unit(self.unit(x, "conv2/3x3_reduce"), "conv2/3x3")
        x = halve(normalise(x))
        for name, *_ in INCEPTION_V1:
            if name in ("4a", "5a"):
                x = halve(x)
            x = self.block(x, name)
        return getattr(self, "loss3/classifier")(x.mean((2, 3)))


class Figure5(inception.InceptionA):
    """torchvision's block with the paper's 3x3 convolution where it has a 5x5."""

    def __init__(self, channels):
        super().__init__(channels, pool_features=64)
        self.branch5x5_2 = inception.BasicConv2d(48, 64, kernel_size=3, padding=1)


class FactorisedInceptionV2(nn.Module):
    """arXiv:1512.00567, table 1."""

    def __init__(self, num_classes=1000):
        super().__init__()
        unit = inception.BasicConv2d
        self.Conv2d_1a_3x3 = unit(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = unit(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = unit(32, 64, kernel_size=3, padding=1)
        self.maxpool = nn.MaxPool2d(3, 2)
        self.Conv2d_3b_3x3 = unit(64, 80, kernel_size=3)
        self.Conv2d_4a_3x3 = unit(80, 192, kernel_size=3, stride=2)
        self.Conv2d_4b_3x3 = unit(192, 288, kernel_size=3, padding=1)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = Figure5(288), Figure5(288), Figure5(288)
        self.Mixed_6a = inception.InceptionB(288)
        for name, width in zip("bcdef", (128, 160, 160, 160, 192)):
            setattr(self, f"Mixed_6{name}", inception.InceptionC(768, channels_7x7=width))
        self.Mixed_7a = inception.InceptionD(768)
        self.Mixed_7b, self.Mixed_7c = inception.InceptionE(1280), inception.InceptionE(2048)
        self.fc = nn.Linear(2048, num_classes)

    def forward(self, x):
        for name, layer in self.named_children():
            if name != "fc":
                x = layer(x)
        return self.fc(x.mean((2, 3)))
