"""`tidegate ai evaluate`."""

from tidegate.cli import exits, output
from tidegate.cli.ai.failures import told
from tidegate.cli.ai.options import Model, Seed, StateDir, Upstream
from tidegate.cli.options import AsJson


def command(
    model: Model, upstream: Upstream, state_dir: StateDir, seed: Seed = 1, as_json: AsJson = False
) -> None:
    """Show how good a model is on samples that came after those it was trained with, by the engine's own
    answers.
    """
    with told():
        from tidegate.ai.extra import needed
        from tidegate.ai.registry import Registry

        with needed("evaluating"):
            from tidegate.ai.dataset import read
            from tidegate.ai.evaluate import compared, later_than, pairs
            from tidegate.ai.score import scored
            from tidegate.ai.train import constant_of
            from tidegate.cli.ai import figures

        registry = Registry(state_dir)
        id = registry.meant(model)
        package = registry.read(id)
        samples = later_than(read(state_dir, upstream), package.manifest.data.get("until"))
        if not len(samples):
            message = f"no samples of {upstream} are later than those of {id.short}: wait for traffic"
            raise exits.CommandError(exits.FAILED, message)
        predicted = samples.expected + scored(package, samples.features)
        comparison = compared(samples, predicted, constant_of(samples))
        if as_json:
            output.answer({"model": str(id), "samples": len(samples), **comparison.plain()}, True, print)
            return
        output.console().print(f"{id.short}, on {len(samples)} later samples of {upstream}:", markup=False)
        figures.show(comparison)
        figures.show_simulated(pairs(samples, predicted, seed), pairs(samples, samples.expected, seed))
