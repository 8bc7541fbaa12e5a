"""The paper's method as one would write it first, from PyTorch's DCGAN tutorial: a yardstick and an independent check.

It shares no code with the package. A graph is a dict {("D", 1): "through", (2, 1): "positive", ...} from (source,
target) to the name of a gate; what is missing is cut off.

    python -m benchmarks.plain --k 3 --epochs 20            # all through on scikit-learn's digits, trained and scored
"""

import argparse
import copy
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.data import DataLoader, TensorDataset

GATES = {"through": lambda p: 1.0, "positive": lambda p: p, "negative": lambda p: 1.0 - p}


def weights_init(m):
    if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(m.weight, 0.0, 0.02)
        if m.bias is not None:
            nn.init.zeros_(m.bias)
    elif isinstance(m, nn.BatchNorm2d):
        nn.init.normal_(m.weight, 1.0, 0.02)
        nn.init.zeros_(m.bias)


class Generator(nn.Module):
    def __init__(self, size, channels, width, nz):
        super().__init__()
        depth = int(np.log2(size)) - 1
        sizes = [nz] + [width * 2 ** (depth - 2 - i) for i in range(depth - 1)] + [channels]
        self.blocks = nn.ModuleList()
        for i in range(depth):
            conv = nn.ConvTranspose2d(sizes[i], sizes[i + 1], 4, 1 if i == 0 else 2, 0 if i == 0 else 1, bias=False)
            last = i == depth - 1
            self.blocks.append(
                nn.Sequential(conv, nn.Tanh()) if last else nn.Sequential(conv, nn.BatchNorm2d(sizes[i + 1]), nn.ReLU())
            )

    def forward(self, z):
        x, maps = z, []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return x, maps


class Discriminator(nn.Module):
    def __init__(self, size, channels, width, outputs):
        super().__init__()
        depth = int(np.log2(size)) - 1
        sizes = [channels] + [width * 2**i for i in range(depth - 1)]
        layers = []
        for i in range(depth - 1):
            layers += [nn.Conv2d(sizes[i], sizes[i + 1], 4, 2, 1), nn.LeakyReLU(0.2)]
        layers += [nn.Conv2d(sizes[-1], outputs, 4, 1, 0), nn.Flatten()]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


def spectral(d):
    for i, layer in enumerate(d.layers):
        if isinstance(layer, nn.Conv2d):
            d.layers[i] = spectral_norm(layer)
    return d


def attention(feature):
    q = feature.pow(2).mean(1).flatten(1)
    return q / q.norm(dim=1, keepdim=True).clamp_min(1e-12)


def transfer_loss(student, teacher, layers, alpha):
    """Equation 4; with layers None equation 5, student and teacher being images."""
    if layers is None:
        s, t = student.flatten(1), teacher.detach().flatten(1)
        s = s / s.norm(dim=1, keepdim=True).clamp_min(1e-12)
        t = t / t.norm(dim=1, keepdim=True).clamp_min(1e-12)
        return alpha * F.mse_loss(s, t)
    return (
        alpha
        * sum(F.mse_loss(attention(student[m - 1]), attention(teacher[m - 1].detach())) for m in layers)
        / len(layers)
    )


def build(k, size, channels, width, nz, lr, betas, device):
    generators = [Generator(size, channels, width, nz).apply(weights_init).to(device) for _ in range(k)]
    discriminator = spectral(Discriminator(size, channels, width, k + 1).apply(weights_init)).to(device)
    optimizers = [torch.optim.Adam(net.parameters(), lr=lr, betas=betas) for net in generators]
    return generators, discriminator, optimizers, torch.optim.Adam(discriminator.parameters(), lr=lr, betas=betas)


def iteration(graph, generators, discriminator, g_optimizers, d_optimizer, real, own_z, z, p, layers, alpha):
    """One iteration; the losses by name."""
    k, n = len(generators), len(real)
    losses = {}

    def label(c):
        return torch.full((n,), c, dtype=torch.long, device=real.device)

    # Discriminator: real images are class k + 1, those of generator i class i.
    for i, generator in enumerate(generators):
        discriminator.zero_grad()
        fake, _ = generator(own_z[i])
        loss = F.cross_entropy(discriminator(real), label(k)) + F.cross_entropy(discriminator(fake.detach()), label(i))
        loss.backward()
        d_optimizer.step()
        losses[f"D on G{i + 1}"] = loss.item()

    # Generators: one z for all.
    outputs = [generator(z) for generator in generators]
    for generator in generators:
        generator.zero_grad()
    for s in range(1, k + 1):
        whole = 0.0
        for (source, target), gate in graph.items():
            if target != s or gate == "cutoff":
                continue
            if source == "D":
                loss = F.cross_entropy(discriminator(outputs[s - 1][0]), label(k))
            elif layers is None:
                loss = transfer_loss(outputs[s - 1][0], outputs[source - 1][0], None, alpha)
            else:
                loss = transfer_loss(outputs[s - 1][1], outputs[source - 1][1], layers, alpha)
            losses[f"{source}->{s}"] = loss.item()
            whole = whole + GATES[gate](p) * loss
        if torch.is_tensor(whole):
            whole.backward()
            g_optimizers[s - 1].step()
    return losses


def train(
    graph, k, images, *, width, nz, layers, alpha, epochs, batch, lr, betas, device="cpu", on_iteration=None,
    on_epoch=None,
):  # fmt: skip
    """Trains on float images [M, C, S, S] in [-1, 1]; the generators."""
    size, channels = images.shape[-1], images.shape[1]
    generators, discriminator, g_optimizers, d_optimizer = build(k, size, channels, width, nz, lr, betas, device)
    loader = DataLoader(TensorDataset(images), batch_size=batch, shuffle=True, drop_last=True)
    total, t = epochs * len(loader), 0
    for epoch in range(1, epochs + 1):
        for (real,) in loader:
            real = real.to(device)
            own_z = [torch.randn(batch, nz, 1, 1, device=device) for _ in range(k)]
            z = torch.randn(batch, nz, 1, 1, device=device)
            p = t / (total - 1)
            iteration(graph, generators, discriminator, g_optimizers, d_optimizer, real, own_z, z, p, layers, alpha)
            t += 1
            if on_iteration is not None:
                on_iteration(t)
        if on_epoch is not None:
            on_epoch(epoch, generators)
    return generators


class Classifier(nn.Module):
    def __init__(self, channels, size, classes):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
            nn.Flatten(), nn.Linear(64 * (size // 4) ** 2, 128), nn.ReLU(), nn.Linear(128, classes),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x)


def train_classifier(images, labels, epochs=20, device="cpu"):
    net = Classifier(images.shape[1], images.shape[2], int(labels.max()) + 1).to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(epochs):
        for x, y in DataLoader(TensorDataset(images, labels), batch_size=128, shuffle=True):
            optimizer.zero_grad()
            F.cross_entropy(net(x.to(device)), y.to(device)).backward()
            optimizer.step()
    return net.eval()


def inception_score(generator, classifier, nz, count=20_000, splits=10, batch=256, device="cpu"):
    """Mean over the splits."""
    generator = copy.deepcopy(generator).eval()
    probabilities = []
    with torch.no_grad():
        for start in range(0, count, batch):
            z = torch.randn(min(batch, count - start), nz, 1, 1, device=device)
            pixels = ((generator(z)[0] + 1) * 127.5).round().clamp(0, 255)  # as if they had been saved as pictures
            probabilities.append(classifier(pixels / 127.5 - 1).softmax(1).double().cpu())
    scores = []
    for part in torch.cat(probabilities).chunk(splits):
        kl = part * (part.clamp_min(1e-16).log() - part.mean(0, keepdim=True).clamp_min(1e-16).log())
        scores.append(kl.sum(1).mean().exp().item())
    return float(np.mean(scores))


def digits(size=16):
    """scikit-learn's digits: float images [1797, 1, 16, 16] in [-1, 1], and their labels."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16
    return F.interpolate(images, size, mode="bilinear", antialias=True) * 2 - 1, torch.tensor(data.target)


def all_through(k):
    return {(s, t): "through" for t in range(1, k + 1) for s in ("D", *range(1, k + 1)) if s != t}


def main():
    parser = argparse.ArgumentParser(description="Train and score one graph, all through, on the digits.")
    parser.add_argument("--k", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, help="else PyTorch's own choice")
    parser.add_argument("--trials", type=int, default=1)
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    images, labels = digits()
    classifier = train_classifier(images, labels)
    for _ in range(asked.trials):
        begun = time.time()
        generators = train(
            all_through(asked.k), asked.k, images, width=32, nz=8, layers=[2], alpha=156, epochs=asked.epochs, batch=32,
            lr=2e-3, betas=(0.0, 0.9),
        )  # fmt: skip
        scores = [inception_score(generator, classifier, 8) for generator in generators]
        print(f"IS {', '.join(f'{score:.3f}' for score in scores)}; {time.time() - begun:.1f} s")


if __name__ == "__main__":
    main()
