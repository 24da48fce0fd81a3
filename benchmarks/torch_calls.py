"""The calls of zuko and normflows, for `all.py`: PyTorch's eager mode and a plain loop, as both are used."""

import abc
import time

import calls
import protocol
import torch


class Torch(calls.Calls):
    """A model, trained by a loop over shuffled batches.

    Args:
      flow: a module.
      batch: rows of a step.
    """

    def __init__(self, flow: torch.nn.Module, batch: int):
        self.flow, self.batch = flow, batch
        self.optimizer = torch.optim.Adam(flow.parameters(), protocol.RATE)

    @abc.abstractmethod
    def prepared(self, x) -> torch.Tensor:
        """The data as the library takes it, made once."""

    @abc.abstractmethod
    def density(self, x: torch.Tensor) -> torch.Tensor:
        """Nats, (rows,), of prepared data."""

    @abc.abstractmethod
    def draw(self, n: int) -> torch.Tensor:
        """n samples."""

    def fit(self, x, epochs):
        x, ends = self.prepared(x), []
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(self.batch):
                self.optimizer.zero_grad()
                (-self.density(x[rows]).mean()).backward()
                self.optimizer.step()
            ends.append(time.perf_counter())
        return ends

    @torch.no_grad()
    def log_prob(self, x):
        return self.density(self.prepared(x)).numpy()

    @torch.no_grad()
    def sample(self, n):
        return self.draw(n).numpy()


class Zuko(Torch):
    """zuko's flow of a model of vectors."""

    def __init__(self, model):
        import zuko

        size = {
            "features": protocol.FEATURES,
            "transforms": protocol.DEPTH,
            "hidden_features": [protocol.HIDDEN, protocol.HIDDEN],
        }
        make = {
            "maf": lambda: zuko.flows.MAF(**size),
            "nsf-ar": lambda: zuko.flows.NSF(bins=protocol.BINS, **size),
            "realnvp": lambda: zuko.flows.RealNVP(**size),
            "nsf-coupling": lambda: zuko.flows.NSF(bins=protocol.BINS, passes=2, **size),
        }
        super().__init__(make[model](), protocol.BATCHES[model])

    def prepared(self, x):
        return torch.from_numpy(x)

    def density(self, x):
        return self.flow().log_prob(x)

    def draw(self, n):
        return self.flow().sample((n,))


class Normflows(Torch):
    """The Glow of normflows' examples."""

    def __init__(self, model):
        import normflows as nf

        height, width, channels = protocol.IMAGE
        bases, flows, merges = [], [], []
        for level in range(protocol.LEVELS):  # from the latent to the data
            squeezed = channels * 2 ** (protocol.LEVELS + 1 - level)
            steps = [nf.flows.GlowBlock(squeezed, protocol.HIDDEN) for _ in range(protocol.STEPS)]
            flows.append([*steps, nf.flows.Squeeze()])
            halvings, leaving = protocol.LEVELS - level, 1 if level else 2  # half of the channels leave but at the last
            shape = (leaving * channels * 2**halvings, height // 2**halvings, width // 2**halvings)
            merges += [nf.flows.Merge()] if level else []
            bases.append(nf.distributions.DiagGaussian(shape))
        super().__init__(nf.MultiscaleFlow(bases, flows, merges, class_cond=False), protocol.BATCHES[model])

    def prepared(self, x):
        return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()

    def density(self, x):
        return self.flow.log_prob((x + torch.rand(x.shape)) / 256, None)

    def draw(self, n):
        x, _ = self.flow.sample(n)
        return (256 * x).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


if __name__ == "__main__":
    calls.serve(lambda model: Normflows(model) if model.startswith("glow") else Zuko(model))
