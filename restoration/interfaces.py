"""What a method is made of: four interfaces, a sampler, a task, what was observed; and what a metric is.

Letters, the same in every file: `x` the clean image, `y` the degraded one, `x_t` a state between them, `t` in [0, 1]
its time on the path (0 is clean), `n` standard normal noise. Images are float tensors `b c h w`, values in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Generator, Tensor

    from restoration.picture import Picture
    from restoration.randomness import RowGenerators

    Clean = Callable[[Tensor, Tensor], Tensor]
    """`clean(x_t, t)`: the clean image as the network sees it from a state `b c h w` at a time `1`."""
    Noise = Callable[[], Tensor]
    """Draws standard normal noise of the shape of the state."""


@runtime_checkable
class Network(Protocol):
    """Maps an image to an image; an `nn.Module` will do. Its card tells which of `y` and `t` it takes."""

    def __call__(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Map a state `x` and the degraded image `y`, `b c h w`, at times `t`, `b` or `1`, to `b c h w`."""


@runtime_checkable
class BoundedNetwork(Network, Protocol):
    """A network whose output at a pixel depends on pixels up to `reach` away; others have the default of their card."""

    reach: int


@runtime_checkable
class EnlargingNetwork(Network, Protocol):
    """A network that, if it `enlarges` by some scales, is given the small picture as `y`, and `x` in the size wanted.

    It looks at the small picture alone, and adds what it finds to `x`, the same picture enlarged by bicubic resampling.
    """

    enlarges: tuple[int, ...]


@runtime_checkable
class NoiseSchedule(Protocol):
    """Three curves: `x_t = a(t) x + b(t) y + c(t) n`."""

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return `a`, `b` and `c` at times `t` of any shape, in float64 and of the same shape."""

    def steps(self, n: int) -> Tensor:
        """Return the `n + 1` times of `n` steps, float64, from 1 down to 0."""


@runtime_checkable
class DiscreteSchedule(NoiseSchedule, Protocol):
    """A schedule that was published for `T` numbered steps: step `i` is the time `i / T`."""

    T: int


@runtime_checkable
class BetaSchedule(NoiseSchedule, Protocol):
    """A schedule of numbered steps, of which each adds noise of the variance `betas`, `T` in float64."""

    betas: Tensor


@runtime_checkable
class SDESchedule(NoiseSchedule, Protocol):
    """A schedule that solves a stochastic differential equation, which Euler's method can follow."""

    def rates(self, s: float, u: float) -> tuple[float, float, float]:
        """Return the increments of Euler's method from time `s` down to `u`.

        They are the shrinkage, half the diffusion for the probability-flow ODE, and the variance of the noise.
        """


@runtime_checkable
class Objective(Protocol):
    """What a network is trained to predict, and how to read the clean image out of it."""

    def loss(self, network: Network, schedule: NoiseSchedule, x: Tensor, y: Tensor, rng: RowGenerators) -> Tensor:
        """Return one loss an image, `b`, for clean images `x` and degraded ones `y`, `b c h w`.

        All randomness comes from `rng`, which has a generator for each image. The loss of an image depends on its own
        generator and on no other image, so that a batch may be shared out between processes; and the network is called
        equally often whatever is drawn, since processes that train together do that together.
        """

    def clean(self, network: Network, schedule: NoiseSchedule, x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Return the clean image as the network sees it at times `t`, `b` or `1`: `b c h w`."""


class DirectObjective(Objective, Protocol):
    """An objective without a path: the network goes from `y` to the clean image at once, and no schedule is needed."""

    def loss(
        self, network: Network, schedule: NoiseSchedule | None, x: Tensor, y: Tensor, rng: RowGenerators
    ) -> Tensor:
        """Return one loss an image, `b`, as any `Objective` does."""

    def clean(self, network: Network, schedule: NoiseSchedule | None, x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Return the clean image as the network sees it: `b c h w`."""


@runtime_checkable
class AnnealedObjective(Objective, Protocol):
    """An objective that changes in the course of a training, which tells it its `progress`, from 0 to 1."""

    progress: float


@runtime_checkable
class Sampler(Protocol):
    """Samples along a schedule, from noise to a picture. It does not know the method."""

    def __call__(
        self, clean: Clean, schedule: NoiseSchedule, x_t: Tensor, y: Tensor, times: Tensor, noise: Noise
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the state and the clean estimate that led to it, after each of the steps.

        * `clean`: predicts the clean image from a state and a time.
        * `schedule`: the three curves.
        * `x_t`: the state at the first time, `b c h w`.
        * `y`: the degraded image, `b c h w`.
        * `times`: the times of the states, from the first down to the last.
        * `noise`: draws noise of the shape of the state.
        """


@runtime_checkable
class Restorer(Protocol):
    """A method: it yields estimates of the clean image, of which the last one is the result."""

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield estimates `b c h w` for what was observed; all random numbers come from `rng`, on the CPU."""


@runtime_checkable
class ReportingRestorer(Restorer, Protocol):
    """A method that keeps `told`, short facts about its last run by name, for `Result` and the command line."""

    told: Mapping[str, Any]


@runtime_checkable
class Task(Protocol):
    """A way pictures are damaged: makes degraded pictures from clean ones, for training and for scores.

    Some tasks can do more: see `KnowingTask`.
    """

    def __call__(self, x: Tensor, rng: Generator) -> Tensor:
        """Return degraded pictures for the clean ones `x`, both `b c h w` in [0, 1]."""


@runtime_checkable
class KnowingTask(Task, Protocol):
    """A task that knows more than the degraded picture: the operator, the noise, what was measured."""

    def observe(self, x: Tensor, rng: Generator) -> Observation:
        """Return the observation of clean pictures `x`; its `y` is what a call of the task returns."""

    def describe(self, picture: Picture) -> Observation:
        """Return what is known about a user's degraded picture, from the options that the task was made with."""


@runtime_checkable
class EnlargingTask(Task, Protocol):
    """A task whose degraded pictures are smaller: by one of `scales`, which its option `scale` sets."""

    scales: tuple[int, ...]


@runtime_checkable
class Operator(Protocol):
    """A linear degradation: `y` is about `operator(x)`."""

    def __call__(self, x: Tensor) -> Tensor:
        """Degrade `b c h w`."""

    def adjoint(self, y: Tensor) -> Tensor:
        """Apply the transpose: `<operator(x), y> = <x, adjoint(y)>`."""


@runtime_checkable
class Metric(Protocol):
    """How close a picture is to the clean one. A function will do; it may also have a `protocol`."""

    def __call__(self, image: Tensor, clean: Tensor) -> float:
        """Compare two pictures, `1 c h w` in [0, 1] with 1 or 3 channels. Raises `ValueError` if they do not fit."""


@runtime_checkable
class SetMetric(Protocol):
    """How far one set of pictures is from another; it may also have a `protocol`."""

    def features(self, image: Tensor) -> Tensor:
        """Return what is compared of one picture, `1 c h w` in [0, 1]: `d`, the same for all sizes."""

    def distance(self, first: Tensor, second: Tensor) -> float:
        """Return the distance of two sets, given as the features of their pictures, `n d` and `m d`."""


@runtime_checkable
class DescribedMetric(Protocol):
    """A metric that says itself how its numbers are taken, where its card does not know it: with a version, say."""

    protocol: str


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What was measured and what is known about it.

    * `y`: the degraded image, `b c h w`.
    * `operator`: the linear degradation; None if it is the identity or unknown.
    * `sigma`: the standard deviation of the noise, in units of [0, 1], or a map of it, `1 1 h w`; None if unknown.
    * `measured`: what `operator(x)` predicts, if that is not `y` itself: for example the small picture that `y` is the
      enlargement of.
    * `mean`: the mean of all likely clean images, `b c h w`, as other weights predict it, for methods whose path leads
      there; None for all others.
    """

    y: Tensor
    operator: Operator | None = None
    sigma: float | Tensor | None = None
    measured: Tensor | None = None
    mean: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a task may change about a picture; results that go beyond it are not plausible, see `plausibility`.

    * `darker`, `lighter`: levels of 255 by which the mean of a block may change beyond what its detail explains; None
      for any number.
    * `detail`: how much of the standard deviation of a block's detail explains a darker mean: rain adds light where
      it adds detail.
    * `structure`: the least share of the structure of a result that must be found in the degraded picture, 0 to 1.
    """

    darker: float | None = None
    lighter: float | None = None
    detail: float = 0.0
    structure: float | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """A restored picture and how it came about; `tile` is the window that was used, 0 for the whole picture.

    `ensemble` is the number of positions, mirrored and turned, whose results were averaged; 1 without an ensemble.
    `ended` is "done", or "time limit" or "Ctrl-C" if it was cut short; `told` what the method says about its work.
    `realism` is from 0, the mean of all likely pictures, to 1, one of them, None for a method without; `mean` names the
    weights of that mean, if it had a part. `frames` counts the pictures of the file, of which `picture` is the first;
    `doubts` are the reasons why `restore run` does not find it plausible. `image` is the picture in the form that it
    was given in to `restore`: an array for an array, a tensor for a tensor, an image of PIL for one, or `picture`.
    """

    picture: Picture
    method: str
    task: str
    weights: str | None
    seed: int
    device: str
    precision: str
    tile: int
    evaluations: int
    seconds: float
    ensemble: int = 1
    realism: float | None = None
    mean: str | None = None
    ended: str = "done"
    frames: int = 1
    told: Mapping[str, Any] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    image: Any = field(default=None, repr=False)

    def _repr_png_(self) -> bytes:
        return self.picture._repr_png_()

    def facts(self) -> dict[str, Any]:
        """Return all but the picture, as plain data, with its size as `[width, height]`."""
        height, width = self.picture.pixels.shape[-2:]
        return {**{k: v for k, v in vars(self).items() if k not in ("picture", "image")}, "size": [width, height]}
