"""The engine's simulators."""

from tidegate.sim.cache.model import CacheStudy
from tidegate.sim.cache.scenario import CacheScenarios
from tidegate.sim.experiment import Simulator
from tidegate.sim.model import Study
from tidegate.sim.scenario import Scenarios

BALANCING = Simulator(Study, Scenarios, "balancing")
CACHE = Simulator(CacheStudy, CacheScenarios, "cache")
